# From NumPy arrays and Python values to the operands and attributes of a native operator.

from cpython.buffer cimport (
    PyBUF_SIMPLE, PyBUF_STRIDES, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer,
)
from libc.stdlib cimport free, malloc
from libcpp.vector cimport vector

from pyhades._hades cimport Attribute, DType, OpDesc, Operand, size_of

from pyhades.dtypes import native_code

cdef enum:
    MAX_RANK = 8


cdef class Buffers:
    """Holds the buffers of arrays for as long as native code uses them."""

    cdef Py_buffer* views
    cdef int count

    def __cinit__(self, int capacity):
        self.views = <Py_buffer*>malloc((capacity or 1) * sizeof(Py_buffer))
        if self.views == NULL:
            raise MemoryError()
        self.count = 0

    def __dealloc__(self):
        for i in range(self.count):
            PyBuffer_Release(&self.views[i])
        free(self.views)

    cdef Py_buffer* hold(self, array, int flags) except NULL:
        cdef Py_buffer* view = &self.views[self.count]
        PyObject_GetBuffer(array, view, flags)
        self.count += 1
        return view

    cdef Operand operand(self, array, bint writable) except *:
        """An operand that describes ``array``; None is an omitted one."""
        cdef Operand operand
        operand.present = array is not None
        operand.constant = NULL
        if array is None:
            return operand
        # Without PyBUF_FORMAT: the buffer protocol has no code for bfloat16. The dtype has a name.
        cdef int flags = PyBUF_STRIDES | (PyBUF_WRITABLE if writable else 0)
        cdef Py_buffer* view = self.hold(array, flags)
        if view.ndim > MAX_RANK:
            raise ArgumentError(f"arrays may have at most {MAX_RANK} axes, this one has {view.ndim}")
        if not array.dtype.isnative:
            raise ArgumentError(f"dtype {array.dtype.str} has foreign byte order; use astype first")
        operand.tensor.dtype = dtype_of_numpy(array.dtype)
        operand.tensor.rank = view.ndim
        for axis in range(view.ndim):
            if view.strides[axis] % view.itemsize:
                raise ArgumentError(f"stride {view.strides[axis]} is no multiple of the element size")
            operand.tensor.shape[axis] = view.shape[axis]
            operand.tensor.strides[axis] = view.strides[axis] // view.itemsize
        return operand


_codes: dict = {}  # NumPy takes some microseconds to put the name of a dtype together


cdef DType dtype_of_numpy(dtype) except *:
    code = _codes.get(dtype)
    if code is None:
        code = _codes[dtype] = native_code(dtype.name)
    return <DType><int>code


cdef DType dtype_of(str name) except *:
    return <DType><int>native_code(name)


cdef Attribute attribute_of(str name, value) except *:
    """An attribute from an int, a float, a str, or a sequence of numbers."""
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
    if attribute.floats.size() and attribute.ints.size():
        raise ArgumentError(f"attribute {name} mixes integers and floats: {value!r}")
    return attribute


cdef int set_attributes(OpDesc* desc, attributes) except -1:
    for name, value in (attributes or {}).items():
        desc.attributes.items.push_back(attribute_of(name, value))
    return 0
