"""Moving elements, in NumPy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from pyhades.kernels.arguments import Array


def transpose(x: ArrayLike, axes: Sequence[int] | None = None) -> Array:
    """See :func:`pyhades.kernels.transpose`."""
    return np.ascontiguousarray(np.transpose(np.asarray(x), axes))


def copy(x: ArrayLike) -> Array:
    """See :func:`pyhades.kernels.copy`."""
    return np.array(x, order="C")


def fill(shape: Sequence[int], value: float, dtype: DTypeLike = np.float32) -> Array:
    """See :func:`pyhades.kernels.fill`."""
    return np.full(tuple(shape), value, dtype)


def pad(
    x: ArrayLike,
    pads: Sequence[tuple[int, int]],
    mode: str = "constant",
    value: float = 0,
) -> Array:
    """See :func:`pyhades.kernels.pad`."""
    x = np.asarray(x)
    for axis, (before, after) in enumerate(pads):
        count = x.shape[axis]
        positions = np.arange(-before, count + after)
        inside = (positions >= 0) & (positions < count)
        if mode == "constant":
            taken = np.take(x, np.where(inside, positions, 0), axis) if count else None
            shape = (*x.shape[:axis], len(positions), *x.shape[axis + 1 :])
            mask = inside.reshape([-1 if i == axis else 1 for i in range(x.ndim)])
            filler = np.full(shape, value, x.dtype)
            x = filler if taken is None else np.where(mask, taken, filler)
        else:
            x = np.take(x, _continued(positions, count, mode), axis)
    return np.ascontiguousarray(x)


def _continued(positions: Array, count: int, mode: str) -> Array:
    """Source index of every position when an axis of ``count`` elements is continued."""
    if mode == "edge":
        return np.clip(positions, 0, count - 1)
    if mode == "wrap":
        return positions % count
    folded = positions % max(2 * (count - 1), 1)
    return np.where(folded < count, folded, 2 * (count - 1) - folded)
