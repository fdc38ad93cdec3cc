"""Ranking, in NumPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pyhades.kernels.arguments import Array
from pyhades.numerics.reduction import top_k


def rank(x: ArrayLike, k: int, axis: int = -1, *, largest: bool = True) -> tuple[Array, Array]:
    """See :func:`pyhades.kernels.rank`."""
    array = np.asarray(x)
    positions = top_k(array, k, axis, largest)
    return np.take_along_axis(array, positions, axis), positions
