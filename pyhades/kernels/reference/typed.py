"""Element-wise functions of every dtype, in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from pyhades.kernels.arguments import Array
from pyhades.numerics import arithmetic
from pyhades.numerics.functions import FUNCTIONS


def _array(value: ArrayLike) -> Array:
    return value if isinstance(value, np.ndarray) else np.asarray(value, np.float32)


def _is_half(dtype: np.dtype[Any]) -> bool:
    return dtype.name in ("float16", "bfloat16")


def _computable(x: Array) -> Array:
    """16-bit floats compute in float32 and round once at the end."""
    return x.astype(np.float32) if _is_half(x.dtype) else x


def unary(x: ArrayLike, function: str) -> Array:
    """See :func:`pyhades.kernels.unary`; floats in float64."""
    x = _array(x)
    computable = _computable(x)
    is_float = computable.dtype.kind == "f"
    with np.errstate(all="ignore"):
        wide = computable.astype(np.float64) if is_float else computable
        result = np.asarray(FUNCTIONS[function].function(wide))
        if FUNCTIONS[function].is_predicate:
            return result
        # NumPy rounds float64 to 16 bits by way of float32 or not, by dtype; here always so.
        return result.astype(computable.dtype).astype(x.dtype)


def binary(a: ArrayLike, b: ArrayLike, function: str) -> Array:
    """See :func:`pyhades.kernels.binary`."""
    a, b = _array(a), _array(b)
    with np.errstate(all="ignore"):
        result = np.asarray(FUNCTIONS[function].function(_computable(a), _computable(b)))
        return result if FUNCTIONS[function].is_predicate else result.astype(a.dtype)


def where(condition: ArrayLike, a: ArrayLike, b: ArrayLike) -> Array:
    """See :func:`pyhades.kernels.where`."""
    return np.where(condition, _array(a), _array(b))


def cast(x: ArrayLike, dtype: DTypeLike) -> Array:
    """See :func:`pyhades.kernels.cast`; 16-bit floats by way of float32."""
    x, target = np.asarray(x), np.dtype(dtype)
    with np.errstate(all="ignore"):
        x = x.astype(np.float32) if _is_half(target) else x
    return arithmetic.cast(x, target)
