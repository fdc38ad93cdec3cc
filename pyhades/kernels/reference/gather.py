"""Reading and writing elements at positions that are data, in NumPy."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from pyhades.kernels.arguments import Array

_COMBINE: dict[str, Callable[[Any, Any], Any]] = {
    "none": lambda _, update: update,
    "add": operator.add,
    "mul": operator.mul,
    "max": np.maximum,
    "min": np.minimum,
}


def gather(x: ArrayLike, indices: ArrayLike, axis: int = 0) -> Array:
    """See :func:`pyhades.kernels.gather`."""
    return np.take(np.asarray(x), np.asarray(indices), axis)


def gather_elements(x: ArrayLike, indices: ArrayLike, axis: int = 0) -> Array:
    """See :func:`pyhades.kernels.gather_elements`."""
    x, indices = np.asarray(x), np.asarray(indices)
    result = np.empty(indices.shape, x.dtype)
    for position, source in _element_positions(indices, axis):
        result[position] = x[source]
    return result


def gather_nd(x: ArrayLike, indices: ArrayLike, batch_dims: int = 0) -> Array:
    """See :func:`pyhades.kernels.gather_nd`."""
    x, indices = np.asarray(x), np.asarray(indices)
    shape = indices.shape[:-1] + x.shape[batch_dims + indices.shape[-1] :]
    result = np.empty(shape, x.dtype)
    for position in np.ndindex(*indices.shape[:-1]):
        result[position] = x[(*position[:batch_dims], *indices[position])]
    return result


def scatter_elements(
    x: ArrayLike, indices: ArrayLike, updates: ArrayLike, axis: int = 0, reduction: str = "none"
) -> Array:
    """See :func:`pyhades.kernels.scatter_elements`."""
    result, updates = np.array(x), np.asarray(updates)
    for position, target in _element_positions(np.asarray(indices), axis):
        result[target] = _COMBINE[reduction](result[target], updates[position])
    return result


def scatter_nd(
    x: ArrayLike, indices: ArrayLike, updates: ArrayLike, reduction: str = "none"
) -> Array:
    """See :func:`pyhades.kernels.scatter_nd`."""
    result, indices, updates = np.array(x), np.asarray(indices), np.asarray(updates)
    for position in np.ndindex(*indices.shape[:-1]):
        target = tuple(indices[position])
        result[target] = _COMBINE[reduction](result[target], updates[position])
    return result


def _element_positions(
    indices: Array, axis: int
) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Each position in ``indices`` with the position it names in the indexed array."""
    axis %= indices.ndim
    for position in np.ndindex(*indices.shape):
        yield position, (*position[:axis], int(indices[position]), *position[axis + 1 :])
