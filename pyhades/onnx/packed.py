"""Elements of tensors as files store them, to arrays of the dtype that holds their values."""

from __future__ import annotations

from typing import Any

import numpy as np

from pyhades.errors import ModelError
from pyhades.onnx.elements import BFLOAT16, Element
from pyhades.onnx.minifloat import TABLES

Array = np.ndarray[Any, Any]


def stored_bytes(element: Element, count: int) -> int:
    """Bytes that ``count`` elements take, the last one filled up."""
    return (count * element.bits + 7) // 8


def from_bytes(data: memoryview, element: Element, count: int, what: str) -> Array:
    """Elements in the layout of ``raw_data``; a view where the dtype is as stored."""
    if element.bits < 8:
        return _values(_unpacked(np.frombuffer(data, np.uint8), element, count), element)
    size = element.bits // 8
    if data.nbytes % size:
        raise ModelError(f"{what} has {data.nbytes} bytes, no multiple of {size}")
    if element.name == "bool":
        # A byte other than 0 and 1 would be an invalid bool.
        return np.asarray(np.frombuffer(data, np.uint8) != 0)
    if element.is_narrow:
        return _values(np.frombuffer(data, f"<u{size}"), element)
    return np.frombuffer(data, element.dtype)


def from_integers(numbers: Array, element: Element, count: int) -> Array:
    """Elements of ``int32_data`` and the like: floats as bits, those below a byte packed."""
    if element.bits < 8:
        return _values(_unpacked(numbers.astype(np.uint8), element, count), element)
    if element.is_narrow:
        return _values(numbers.astype(f"u{element.bits // 8}"), element)
    if element.name == "float16":
        return numbers.astype(np.uint16).view(np.float16)
    if element.name == "bool":
        return np.asarray(numbers != 0)
    return numbers.astype(element.dtype, copy=False)


def _unpacked(data: Array, element: Element, count: int) -> Array:
    """Codes of less than a byte, the lowest bits first; what fills up the last byte is dropped."""
    per_byte, mask = 8 // element.bits, (1 << element.bits) - 1
    codes = np.empty((len(data), per_byte), np.uint8)
    for position in range(per_byte):
        codes[:, position] = (data >> (element.bits * position)) & mask
    flat = codes.reshape(-1)
    return flat[:count] if len(flat) - count < per_byte else flat


def _values(codes: Array, element: Element) -> Array:
    if element is BFLOAT16:
        return (codes.astype(np.uint32) << np.uint32(16)).view(np.float32)
    if element.name in TABLES:
        return TABLES[element.name][codes]
    if element.dtype is not None and element.dtype.kind == "i":
        # Sign extension: the highest bit of the code counts negative.
        half = 1 << (element.bits - 1)
        return (codes.astype(np.int8) ^ half) - np.int8(half)
    return codes
