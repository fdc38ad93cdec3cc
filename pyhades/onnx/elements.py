"""Element types of ONNX: what each is called, and the dtype that holds its values here.

NumPy has no dtype for the narrow ones. Their values are held in the next wider dtype that has
all of them, and the importer remembers, value by value, what the file calls them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pyhades.errors import ModelError, UnsupportedOperatorError
from pyhades.ir.graph import Value

DType = np.dtype[Any]


@dataclass(frozen=True)
class Element:
    """A TensorProto.DataType."""

    number: int
    name: str
    dtype: DType | None
    """What holds its values in memory; None where nothing here does."""
    bits: int
    """How many an element takes in a file."""

    @property
    def is_narrow(self) -> bool:
        """Whether it has fewer values than the dtype that holds them."""
        return self.dtype is not None and self.dtype.name != self.name


def _elements() -> dict[int, Element]:
    plain = {1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64"}
    plain |= {9: "bool", 10: "float16", 11: "float64", 12: "uint32", 13: "uint64"}
    rows = [(number, name, name, 8 * np.dtype(name).itemsize) for number, name in plain.items()]
    rows += [(16, "bfloat16", "float32", 16)]
    floats = {17: "float8e4m3fn", 18: "float8e4m3fnuz", 19: "float8e5m2", 20: "float8e5m2fnuz"}
    rows += [(number, name, "float32", 8) for number, name in floats.items()]
    rows += [(23, "float4e2m1", "float32", 4), (24, "float8e8m0", "float32", 8)]
    rows += [(21, "uint4", "uint8", 4), (22, "int4", "int8", 4)]
    rows += [(25, "uint2", "uint8", 2), (26, "int2", "int8", 2)]
    known = {row[0]: Element(row[0], row[1], np.dtype(row[2]), row[3]) for row in rows}
    refused = {8: "string", 14: "complex64", 15: "complex128", 27: "float6e2m3", 28: "float6e3m2"}
    return known | {number: Element(number, name, None, 0) for number, name in refused.items()}


ELEMENTS = _elements()
"""Every element type that ONNX defines, by its number."""

BFLOAT16 = ELEMENTS[16]

_PLAIN = {e.dtype: e for e in ELEMENTS.values() if e.dtype is not None and not e.is_narrow}


def element(number: int | None, what: str) -> Element:
    """The element type with ``number``; an error that names ``what`` where we have no such."""
    known = ELEMENTS.get(number or 0)
    if known is None:
        raise ModelError(f"{what} has data type number {number}, which ONNX does not define")
    if known.dtype is None:
        raise _no_values(known, what)
    return known


def _no_values(known: Element, what: str) -> UnsupportedOperatorError:
    return UnsupportedOperatorError(
        f"{what} has data type {known.name}, which pyhades does not compute with; convert the "
        "model to float32 or float16"
    )


def dtype_of(number: int | None, what: str) -> DType:
    """The dtype that we compute in for a TensorProto.DataType; bfloat16 is widened to float32.

    Raises
    ------
    UnsupportedOperatorError
        For types of 8 bits and less whose values no dtype of NumPy holds exactly.
    """
    known = element(number, what)
    if known.number not in DTYPES:
        raise _no_values(known, what)
    return DTYPES[known.number]


def onnx_dtype(dtype: DType) -> int:
    """TensorProto.DataType of a NumPy dtype."""
    return _PLAIN[dtype].number


DTYPES: dict[int, DType] = {
    number: known.dtype
    for number, known in ELEMENTS.items()
    if known.dtype is not None and (known is BFLOAT16 or not known.is_narrow)
}
"""What operators compute with: TensorProto.DataType to the dtype of the arrays."""


class ElementTable:
    """What a file calls the element type of each value, where the dtype does not tell."""

    def __init__(self) -> None:
        self._told: dict[Value, Element] = {}

    def mark(self, value: Value, element: Element) -> None:
        """Say that ``value`` has elements of this type in the file."""
        self._told[value] = element

    def is_marked(self, value: Value) -> bool:
        """Whether the type of ``value`` was said."""
        return value in self._told

    def of(self, value: Value) -> Element | None:
        """The element type of ``value``; None where not even its dtype is known."""
        if value in self._told:
            return self._told[value]
        return None if value.type is None else _PLAIN.get(value.type.dtype)
