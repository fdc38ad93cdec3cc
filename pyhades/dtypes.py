"""The dtypes that native kernels know, in the order of ``enum class DType`` (csrc/base/dtype.h)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from pyhades.errors import ArgumentTypeError

DTYPES = (
    "float32",
    "float64",
    "float16",
    "bfloat16",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "bool",
)


_FLOATS = ("bfloat16", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz")
_WIDER = {
    "float32": (*_FLOATS, "float8_e8m0fnu", "float4_e2m1fn"),
    "int8": ("int4", "int2"),
    "uint8": ("uint4", "uint2"),
}
"""What ml_dtypes adds to NumPy, by the dtype that holds its values here."""


def as_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    """``dtype`` as NumPy's object; ArgumentTypeError where NumPy does not know it.

    Examples
    --------
    >>> as_dtype("int32")
    dtype('int32')
    """
    try:
        return np.dtype(dtype)
    except TypeError:
        raise ArgumentTypeError(
            f"dtype={dtype!r} is no dtype; supported are {', '.join(DTYPES)}"
        ) from None


def widened(array: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """An array of a type that packages add to NumPy, such as bfloat16, as ``dtype`` that holds it.

    Any other array is returned as it is.
    """
    return array.astype(dtype) if array.dtype.name in _WIDER.get(dtype.name, ()) else array


def native_code(name: str) -> int:
    """Position of a dtype in the native enumeration; ArgumentTypeError where there is none."""
    try:
        return DTYPES.index(name)
    except ValueError:
        raise ArgumentTypeError(
            f"dtype {name} is not supported; supported are {', '.join(DTYPES)}"
        ) from None
