"""Reading and writing elements at positions that are data, in NumPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pyhades.kernels.arguments import Array
from pyhades.numerics import gather as specification


def gather(x: ArrayLike, indices: ArrayLike, axis: int = 0) -> Array:
    """See :func:`pyhades.kernels.gather`."""
    return np.take(np.asarray(x), np.asarray(indices), axis)


def gather_elements(x: ArrayLike, indices: ArrayLike, axis: int = 0) -> Array:
    """See :func:`pyhades.kernels.gather_elements`."""
    return specification.gather_elements(np.asarray(x), np.asarray(indices), axis)


def gather_nd(x: ArrayLike, indices: ArrayLike, batch_dims: int = 0) -> Array:
    """See :func:`pyhades.kernels.gather_nd`."""
    return specification.gather_nd(np.asarray(x), np.asarray(indices), batch_dims)


def scatter_elements(
    x: ArrayLike, indices: ArrayLike, updates: ArrayLike, axis: int = 0, reduction: str = "none"
) -> Array:
    """See :func:`pyhades.kernels.scatter_elements`."""
    where = specification.element_positions(np.asarray(indices), axis)
    # Updates may be larger than the indices.
    used = np.asarray(updates)[tuple(slice(extent) for extent in np.shape(indices))]
    return specification.scatter(np.asarray(x), where, used, reduction)


def scatter_nd(
    x: ArrayLike, indices: ArrayLike, updates: ArrayLike, reduction: str = "none"
) -> Array:
    """See :func:`pyhades.kernels.scatter_nd`."""
    where = specification.tuple_positions(np.asarray(indices))
    return specification.scatter(np.asarray(x), where, np.asarray(updates), reduction)
