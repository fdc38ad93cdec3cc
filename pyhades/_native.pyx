# distutils: language = c++
"""The native half of pyhades, see csrc/. Python code outside this package has no business here."""

from cpython.buffer cimport (
    PyBUF_FORMAT, PyBUF_STRIDES, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer,
)
from libc.stdint cimport int64_t, uint32_t
from libc.stdlib cimport free, malloc
from libcpp.vector cimport vector

cimport pyhades._hades as roof
from pyhades._hades cimport (
    Attribute, BoundOp, DType, Family, OpDesc, Operand, Status, bind, detect_isa, families, kTiers,
    run_serial,
)

import numpy as np

from pyhades.dtypes import native_code
from pyhades.errors import ArgumentError, ConfigurationError

cdef extern from "base/op.h" nogil:
    void* aligned_alloc(size_t alignment, size_t size)


def tiers():
    """Names of all tiers that kernels may be compiled for, weakest first."""
    return [tier.name.decode() for tier in kTiers]


def supported_tiers():
    """Names of the tiers that this CPU can run, weakest first."""
    cdef uint32_t have = detect_isa()
    return [tier.name.decode() for tier in kTiers if (tier.features & ~have) == 0]


cdef uint32_t features_of(str isa) except? 0xffffffff:
    if isa is None:
        return detect_isa()
    for tier in kTiers:
        if tier.name.decode() == isa:
            if tier.features & ~detect_isa():
                raise ConfigurationError(
                    f"this CPU has no {isa}; it supports {', '.join(supported_tiers())}"
                )
            return tier.features
    raise ConfigurationError(f"isa={isa!r} is none of {', '.join(tiers())}")


def implementations():
    """All registered kernels: a list of (family, function, name, tier is supported here)."""
    cdef uint32_t have = detect_isa()
    cdef size_t which
    cdef Family family
    found = []
    for which in range(families().size()):
        family = families()[which]
        for i in range(family.kernel_count):
            kernel = family.kernels[i]
            found.append((
                family.name.decode(), kernel.function.decode(), kernel.name.decode(),
                (kernel.required & ~have) == 0,
            ))
    return found


def measure_peak_gflops(isa=None, int threads=1):
    """Multiply-add throughput of registers alone, summed over threads, in GFLOP/s (10 ms)."""
    cdef uint32_t allowed = features_of(isa)
    cdef double gflops
    with nogil:
        gflops = roof.measure_peak_gflops(allowed, threads)
    return gflops


def measure_bandwidth_gbs(isa=None, int threads=1):
    """Read rate of memory beyond the caches, summed over threads, in GB/s (allocates 128 MiB each)."""
    cdef uint32_t allowed = features_of(isa)
    cdef double gbs
    with nogil:
        gbs = roof.measure_bandwidth_gbs(allowed, threads)
    return gbs


cdef Attribute attribute_of(str name, value) except *:
    cdef Attribute attribute
    attribute.name = name.encode()
    if isinstance(value, str):
        attribute.text = value.encode()
        return attribute
    for item in value if isinstance(value, (tuple, list)) else (value,):
        if isinstance(item, float):
            attribute.floats.push_back(item)
        else:
            attribute.ints.push_back(item)
    return attribute


cdef class Buffers:
    """Holds the buffers of NumPy arrays while native code uses them."""

    cdef Py_buffer* views
    cdef int count
    cdef list arrays

    def __cinit__(self, int capacity):
        self.views = <Py_buffer*>malloc(capacity * sizeof(Py_buffer))
        self.count = 0

    def __dealloc__(self):
        for i in range(self.count):
            PyBuffer_Release(&self.views[i])
        free(self.views)

    cdef Operand add(self, array, bint writable, bint constant) except *:
        cdef Operand operand
        operand.present = array is not None
        operand.constant = NULL
        if array is None:
            return operand
        cdef Py_buffer* view = &self.views[self.count]
        cdef int flags = PyBUF_STRIDES | PyBUF_FORMAT
        PyObject_GetBuffer(array, view, flags | (PyBUF_WRITABLE if writable else 0))
        self.count += 1
        if view.ndim > 8:
            raise ArgumentError(f"arrays may have at most 8 axes, this one has {view.ndim}")
        operand.tensor.dtype = <DType><int>native_code(array.dtype)
        operand.tensor.rank = view.ndim
        for axis in range(view.ndim):
            operand.tensor.shape[axis] = view.shape[axis]
            operand.tensor.strides[axis] = view.strides[axis] // view.itemsize
        if constant:
            operand.constant = view.buf
        return operand


def call(str op, list inputs, list outputs, dict attributes=None, constants=(), threads=None, isa=None):
    """Bind and run one operator on NumPy arrays; an omitted input is None.

    ``constants`` are the indices of inputs whose data may be repacked when binding.
    Returns the name of the kernel that ran.
    """
    cdef OpDesc desc
    cdef BoundOp bound
    cdef Buffers buffers = Buffers(len(inputs) + len(outputs))
    cdef vector[void*] pointers
    cdef vector[void*] packed
    desc.op = op.encode()
    desc.allowed = features_of(isa)
    for index, array in enumerate(inputs):
        desc.inputs.push_back(buffers.add(array, False, index in constants))
        pointers.push_back(NULL if array is None else buffers.views[buffers.count - 1].buf)
    for array in outputs:
        desc.outputs.push_back(buffers.add(array, True, False))
        pointers.push_back(buffers.views[buffers.count - 1].buf)
    for name, value in (attributes or {}).items():
        desc.attributes.items.push_back(attribute_of(name, value))

    cdef Status status = bind(desc, &bound)
    if not status.ok:
        raise ArgumentError(status.message.decode())
    for i in range(bound.packs.size()):
        packed.push_back(aligned_alloc(64, (bound.packs[i].bytes + 63) // 64 * 64))
        bound.packs[i].pack(bound.params.get(), pointers[bound.packs[i].input], packed[i])
        pointers[bound.packs[i].input] = packed[i]
    with nogil:
        run_serial(bound, pointers.data())
    for i in range(packed.size()):
        free(packed[i])
    return bound.kernel.decode()
