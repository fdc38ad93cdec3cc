"""Arrays that end (or begin) exactly where memory does.

A kernel that reads or writes one byte too far crashes instead of passing by luck; AddressSanitizer
cannot find such accesses because it does not see masked vector loads.
"""

from __future__ import annotations

import ctypes
import mmap
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[Any]
Edge = Literal["start", "end"]

PAGE = mmap.PAGESIZE
PROT_NONE = 0
POISON = 0xA5  # what every byte between the guard pages holds before the array is filled

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


def _mapping(payload: int) -> mmap.mmap:
    """``payload`` bytes (whole pages) of poison between two inaccessible pages."""
    memory = mmap.mmap(-1, payload + 2 * PAGE)
    memory[PAGE:-PAGE] = bytes([POISON]) * payload
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for guard in (address, address + PAGE + payload):
        if _libc.mprotect(guard, PAGE, PROT_NONE):
            raise OSError(ctypes.get_errno(), "mprotect")
    return memory


def _contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    strides = [1]
    for extent in reversed(shape[1:]):
        strides.append(strides[-1] * extent)
    return tuple(reversed(strides)) if shape else ()


def guarded_empty(
    shape: tuple[int, ...],
    dtype: DTypeLike = np.float32,
    strides: tuple[int, ...] | None = None,
    at: Edge = "end",
) -> Array:
    """An array of poison whose last byte (or first byte) touches a guard page.

    Parameters
    ----------
    shape, dtype
        Of the array.
    strides
        In elements, not negative; C-contiguous if None.
    at
        Which edge of the array lies against inaccessible memory.
    """
    itemsize = np.dtype(dtype).itemsize
    steps = _contiguous(shape) if strides is None else strides
    span = 1 + sum((extent - 1) * step for extent, step in zip(shape, steps, strict=True))
    nbytes = span * itemsize if 0 not in shape else 0
    payload = max(1, -(-nbytes // PAGE)) * PAGE
    offset = PAGE if at == "start" else PAGE + payload - nbytes
    byte_strides = tuple(step * itemsize for step in steps)
    return np.ndarray(shape, dtype, _mapping(payload), offset, byte_strides)


def guarded(values: Array, strides: tuple[int, ...] | None = None, at: Edge = "end") -> Array:
    """A copy of ``values`` flush against a guard page, see :func:`guarded_empty`."""
    array = guarded_empty(values.shape, values.dtype, strides, at)
    array[...] = values
    return array


def assert_gaps_untouched(array: Array) -> None:
    """Fail if anything but the elements of a :func:`guarded_empty` array was written."""
    memory = array.base
    assert isinstance(memory, mmap.mmap), "pass the guarded array itself, not a view of it"
    bytes_now = np.frombuffer(memory, np.uint8, len(memory) - 2 * PAGE, PAGE)
    start = array.ctypes.data - bytes_now.ctypes.data
    written = np.zeros(bytes_now.shape, bool)
    elements = np.ndarray(
        (*array.shape, array.itemsize), bool, written.data, start, (*array.strides, 1)
    )
    elements[...] = True
    stray = np.flatnonzero((bytes_now != POISON) & ~written)
    assert stray.size == 0, f"{stray.size} bytes outside the array were written, first {stray[0]}"
