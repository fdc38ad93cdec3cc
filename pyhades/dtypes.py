"""The dtypes that native kernels know, in the order of ``enum class DType`` (csrc/base/dtype.h)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

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


def native_code(name: str) -> int:
    """Position of a dtype in the native enumeration; ArgumentTypeError where there is none."""
    try:
        return DTYPES.index(name)
    except ValueError:
        raise ArgumentTypeError(
            f"dtype {name} is not supported; supported are {', '.join(DTYPES)}"
        ) from None
