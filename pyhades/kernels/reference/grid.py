"""Sampling at the positions of a grid, in NumPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pyhades.kernels.arguments import Array
from pyhades.numerics import grid as numerics
from pyhades.numerics.grid import GridMode, GridPadding


def grid_sample(
    x: ArrayLike,
    grid: ArrayLike,
    mode: GridMode = "linear",
    padding: GridPadding = "zeros",
    align_corners: bool = False,
) -> Array:
    """See :func:`pyhades.kernels.grid_sample`; computed in float64."""
    images, positions = (np.asarray(array).astype(np.float64) for array in (x, grid))
    y = numerics.grid_sample(images, positions, mode, padding, align_corners)
    return y.astype(np.float32)
