"""Images of bytes that stand for numbers on a grid, interpolated and averaged to bytes again.

Every step is one rounding to float32, in the order written here, so that results are equal to the
last bit wherever they are computed. A scale of 1 is not divided by, which changes no number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pyhades.numerics.array import Array
from pyhades.numerics.integers import Grid, dequantize, quantize
from pyhades.numerics.interpolation import AxisResize, Sampling, axis_taps, original_coordinates
from pyhades.numerics.pooling import window_sums
from pyhades.numerics.window import Window


def resize_u8(
    q: Array, axes: Mapping[int, AxisResize], sampling: Sampling, grid: Grid, to: Grid
) -> Array:
    """Interpolate bytes ``[n, c, h, w]``, one axis after the other, and go to the nearest byte.

    ``quantize((v - zero) / (to.scale / grid.scale))`` of what float32 sums give; an axis has
    products of all its taps in order.
    """
    v = q.astype(np.float32)
    for axis, geometry in axes.items():
        positions = original_coordinates(geometry, sampling.coordinates)
        if np.array_equal(positions, np.arange(geometry.extent)):
            continue
        taps = axis_taps(geometry, sampling)
        column = [1] * q.ndim
        column[axis] = -1
        total: Array | None = None
        for index, weight in zip(taps.indices.T, taps.weights.T, strict=True):
            term = v.take(index, axis=axis) * weight.astype(np.float32).reshape(column)
            total = term if total is None else total + term
        assert total is not None
        v = total
    step = np.float32(to.scale) / np.float32(grid.scale)
    return quantize(v - np.float32(grid.zero), Grid(float(step), to.zero))


def average_pool_u8(
    q: Array, window: Window, counts: Sequence[int], seen: Array, grid: Grid, to: Grid
) -> Array:
    """Means of what windows of bytes stand for, as bytes.

    Taps are added in order, and what a window sees outside counts as zero; ``seen`` says by how
    many a sum is divided.
    """
    total = window_sums(dequantize(q, grid), window, counts)
    return quantize(total / np.maximum(seen, 1).astype(np.float32), to)
