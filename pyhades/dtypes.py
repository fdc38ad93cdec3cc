"""The dtypes that native kernels know, in the order of ``enum class DType`` in csrc/base/dtype.h."""

from __future__ import annotations

from typing import Any

import numpy as np

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


def native_code(dtype: np.dtype[Any]) -> int:
    """Position of a NumPy dtype in the native enumeration; KeyError where there is none."""
    try:
        return DTYPES.index(dtype.name)
    except ValueError:
        raise KeyError(dtype.name) from None
