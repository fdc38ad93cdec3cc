"""Reductions, in NumPy; computed in float64 and rounded once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from pyhades.kernels.arguments import Array
from pyhades.numerics.reduction import REDUCTIONS, arg_extreme, running_sum


def reduce(
    x: ArrayLike,
    function: str,
    axes: int | Sequence[int] | None = None,
    *,
    keepdims: bool = False,
) -> Array:
    """See :func:`pyhades.kernels.reduce`."""
    wide = np.asarray(x, np.float64)
    stated = range(wide.ndim) if axes is None else (axes,) if isinstance(axes, int) else axes
    along = tuple(stated)
    with np.errstate(all="ignore"):
        y = np.asarray(REDUCTIONS[function](wide, along), np.float32)
    return y if keepdims else y.squeeze(along)


def argmax(x: ArrayLike, axis: int = -1) -> Array:
    """See :func:`pyhades.kernels.argmax`."""
    return arg_extreme(np.asarray(x), axis, largest=True).squeeze(axis)


def argmin(x: ArrayLike, axis: int = -1) -> Array:
    """See :func:`pyhades.kernels.argmin`."""
    return arg_extreme(np.asarray(x), axis, largest=False).squeeze(axis)


def cumsum(
    x: ArrayLike, axis: int = -1, *, exclusive: bool = False, reverse: bool = False
) -> Array:
    """See :func:`pyhades.kernels.cumsum`."""
    return running_sum(np.asarray(x, np.float64), axis, exclusive, reverse).astype(np.float32)
