"""Resampling, in NumPy: one axis after the other, in float64."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from pyhades.kernels.arguments import Array
from pyhades.kernels.pool import ByteGrid
from pyhades.kernels.resize import resized_shape
from pyhades.numerics import byte_images, interpolation
from pyhades.numerics.integers import Grid
from pyhades.numerics.interpolation import AxisResize, Sampling


def resize(
    x: ArrayLike,
    size: Sequence[int] | None = None,
    scales: Sequence[float] | None = None,
    mode: str = "linear",
    coordinates: str = "half_pixel",
    antialias: bool = False,
    *,
    nearest_mode: str = "round_prefer_floor",
    cubic_coeff_a: float = -0.75,
    exclude_outside: bool = False,
    extrapolation_value: float = 0.0,
    roi: Sequence[float] | None = None,
    rounding: str = "truncate",
    x_grid: ByteGrid = (1.0, 0),
    y_grid: ByteGrid = (1.0, 0),
) -> Array:
    """See :func:`pyhades.kernels.resize`."""
    x = np.asarray(x)
    shape, factors = resized_shape(x.shape, size, scales)
    sampling = Sampling(mode, coordinates, nearest_mode, cubic_coeff_a, antialias, exclude_outside)
    resized = range(x.ndim - len(size or scales or ()), x.ndim)
    axes = {}
    for count, axis in enumerate(resized):
        start, end = (0.0, 1.0) if roi is None else (roi[count], roi[count + len(roi) // 2])
        axes[axis] = AxisResize(x.shape[axis], shape[axis], factors[axis], start, end)
    if rounding == "nearest":
        return byte_images.resize_u8(x, axes, sampling, Grid(*x_grid), Grid(*y_grid))
    y = interpolation.resize(x if mode == "nearest" else x.astype(np.float64), axes, sampling)
    outside = interpolation.outside(y.shape, axes, sampling)
    return np.where(outside, np.array(extrapolation_value).astype(x.dtype), _converted(y, x))


def _converted(y: Array, x: Array) -> Array:
    """The float64 results in the dtype of ``x``."""
    if y.dtype == x.dtype or x.dtype.kind == "f":
        return y.astype(x.dtype)
    limits = np.iinfo(x.dtype)
    return y.astype(np.float32).astype(np.float64).clip(limits.min, limits.max).astype(x.dtype)
