"""Between float32 and points of grids of 8 bits, in NumPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pyhades.kernels.arguments import Array
from pyhades.kernels.requantize import GridDtype
from pyhades.numerics import integers
from pyhades.numerics.integers import Grid


def requantize(
    x: ArrayLike,
    x_scale: float = 1.0,
    x_zero: int = 0,
    y_scale: float = 1.0,
    y_zero: int = 0,
    *,
    dtype: GridDtype = "uint8",
) -> Array:
    """See :func:`pyhades.kernels.requantize`."""
    x = np.asarray(x)
    if x.dtype == np.uint8:
        x = integers.dequantize(x, Grid(x_scale, x_zero))
    return x if dtype == "float32" else integers.quantize(x, Grid(y_scale, y_zero))
