"""Reductions, in NumPy; computed in float64 and rounded once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from pyhades.kernels.arguments import Array

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sum": np.sum,
    "mean": np.mean,
    "max": np.max,
    "min": np.min,
    "prod": np.prod,
    "l1": lambda x, **axis: np.abs(x).sum(**axis),
    "l2": lambda x, **axis: np.sqrt((x * x).sum(**axis)),
    "log_sum": lambda x, **axis: np.log(x.sum(**axis)),
    "log_sum_exp": lambda x, **axis: np.logaddexp.reduce(x, **axis),
    "sum_square": lambda x, **axis: (x * x).sum(**axis),
}


def reduce(
    x: ArrayLike,
    function: str,
    axes: int | Sequence[int] | None = None,
    *,
    keepdims: bool = False,
) -> Array:
    """See :func:`pyhades.kernels.reduce`."""
    axis = axes if axes is None or isinstance(axes, int) else tuple(axes)
    wide = np.asarray(x, np.float64)
    return np.asarray(_FUNCTIONS[function](wide, axis=axis, keepdims=keepdims), np.float32)


def argmax(x: ArrayLike, axis: int = -1) -> Array:
    """See :func:`pyhades.kernels.argmax`."""
    return np.asarray(np.argmax(np.asarray(x), axis))


def argmin(x: ArrayLike, axis: int = -1) -> Array:
    """See :func:`pyhades.kernels.argmin`."""
    return np.asarray(np.argmin(np.asarray(x), axis))


def cumsum(
    x: ArrayLike, axis: int = -1, *, exclusive: bool = False, reverse: bool = False
) -> Array:
    """See :func:`pyhades.kernels.cumsum`."""
    wide = np.asarray(x, np.float64)
    ordered = np.flip(wide, axis) if reverse else wide
    running = np.cumsum(ordered, axis) - (ordered if exclusive else 0)
    return (np.flip(running, axis) if reverse else running).astype(np.float32)
