"""What all kernel wrappers have in common: checking arrays and making outputs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from pyhades.errors import ArgumentError, ArgumentTypeError

Array = NDArray[Any]


def as_array(
    name: str, value: ArrayLike, *, ndim: int | None = None, dtype: DTypeLike = np.float32
) -> Array:
    """``value`` as an array of that dtype and rank; raises naming the argument otherwise.

    Arrays are never converted silently: a float64 array is refused where float32 is meant.
    """
    array = np.asarray(value) if isinstance(value, np.ndarray) else np.asarray(value, dtype)
    if array.dtype != np.dtype(dtype):
        raise ArgumentTypeError(
            f"{name} has dtype {array.dtype.name}, expected {np.dtype(dtype).name}; "
            f"convert it with {name}.astype({np.dtype(dtype).name!r})"
        )
    if ndim is not None and array.ndim != ndim:
        raise ArgumentError(f"{name} has {array.ndim} axes (shape {array.shape}), expected {ndim}")
    return array


def check_shape(name: str, array: Array, expected: tuple[int, ...]) -> None:
    """Raise unless ``array`` has exactly that shape."""
    if array.shape != expected:
        raise ArgumentError(f"{name} has shape {array.shape}, expected {expected}")


def output(out: Array | None, shape: tuple[int, ...], dtype: DTypeLike = np.float32) -> Array:
    """``out`` after checking it, or a new array."""
    if out is None:
        return np.empty(shape, dtype)
    if out.dtype != np.dtype(dtype):
        raise ArgumentTypeError(f"out has dtype {out.dtype.name}, expected {np.dtype(dtype).name}")
    check_shape("out", out, shape)
    if not (out.flags.writeable and out.flags.c_contiguous):
        raise ArgumentError("out must be writeable and C-contiguous")
    return out
