"""Reading and writing by index; negative indices count from the back."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from pyhades.numerics.array import Array

Positions = tuple[Array, ...]

REDUCTIONS: dict[str, Any] = {
    "none": None,
    "add": np.add,
    "mul": np.multiply,
    "max": np.maximum,
    "min": np.minimum,
}
"""How an update meets what it finds; "none" replaces it."""


def element_positions(indices: Array, axis: int) -> Positions:
    """Advanced index that places ``indices`` along ``axis`` and counts along the others."""
    grid: list[Array] = list(np.ogrid[tuple(slice(extent) for extent in indices.shape)])
    if not grid:
        return ()
    grid[axis] = indices
    return tuple(np.broadcast_arrays(*grid))


def tuple_positions(indices: Array) -> Positions:
    """Advanced index of the tuples in the last axis of ``indices``."""
    return tuple(indices[..., i] for i in range(indices.shape[-1]))


def gather_elements(x: Array, indices: Array, axis: int) -> Array:
    """out[i, j] = x[indices[i, j], j] for axis 0, and so on."""
    return np.asarray(x[element_positions(indices, axis)])


def gather_nd(x: Array, indices: Array, batch_dims: int) -> Array:
    """Slices of x at index tuples in the last axis of indices, per batch entry."""
    result = [
        x[entry][tuple_positions(indices[entry])]
        for entry in product(*(range(extent) for extent in x.shape[:batch_dims]))
    ]
    shape = (*indices.shape[:-1], *x.shape[batch_dims + indices.shape[-1] :])
    return np.asarray(result, x.dtype).reshape(shape)


def scatter(x: Array, where: Positions, updates: Array, reduction: str) -> Array:
    """X with ``updates`` at ``where``, one after the other, replacing or reducing."""
    y, function = x.copy(), REDUCTIONS[reduction]
    if function is None:
        y[where] = updates
    else:
        function.at(y, where, updates)
    return y
