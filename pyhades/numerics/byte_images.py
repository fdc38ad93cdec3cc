"""Images of bytes that stand for numbers on a grid, interpolated and averaged to bytes again.

Every step is one rounding to float32, in the order written here, so that results are equal to the
last bit wherever they are computed. A scale of 1 is not divided by, which changes no number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pyhades.numerics.array import Array
from pyhades.numerics.integers import Grid, dequantize, quantize, requantize
from pyhades.numerics.interpolation import AxisResize, Sampling, axis_taps, original_coordinates
from pyhades.numerics.pooling import window_sums
from pyhades.numerics.window import Window


def resize_u8(
    q: Array,
    axes: Mapping[int, AxisResize],
    sampling: Sampling,
    grid: Grid,
    to: Grid,
    then: tuple[float, int] | None = None,
) -> Array:
    """Interpolate bytes ``[n, c, h, w]``, one axis after the other, and go to the nearest byte.

    ``quantize((v - zero) / (to.scale / grid.scale))`` of what float32 sums give; an axis has
    products of all its taps in order. ``then`` is a factor from there to another grid, and its zero
    point: :func:`requantizing_factor`.
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
    y = quantize(v - np.float32(grid.zero), Grid(float(step), to.zero))
    return y if then is None else multiplied(y, to.zero, *then)


def multiplied(q: Array, zero: int, factor: float, y_zero: int) -> Array:
    """``limit(round_half_even((q - zero) * factor) + y_zero)``."""
    return quantize((q.astype(np.float32) - np.float32(zero)) * np.float32(factor), Grid(1, y_zero))


def requantizing_factor(grid: Grid, to: Grid) -> float | None:
    """A factor with which :func:`multiplied` is ``requantize`` of every byte, if there is one.

    The quotient of the scales is, unless the rounding of a quotient falls to the other side of a
    half.
    """
    every, factor = np.arange(256, dtype=np.uint8), float(np.float32(grid.scale / to.scale))
    if not np.isfinite(factor) or factor == 0:
        return None
    want = requantize(every, grid, to)
    return factor if (multiplied(every, grid.zero, factor, to.zero) == want).all() else None


def average_pool_u8(
    q: Array, window: Window, counts: Sequence[int], seen: Array, grid: Grid, to: Grid
) -> Array:
    """Means of what windows of bytes stand for, as bytes.

    Taps are added in order, and what a window sees outside counts as zero; ``seen`` says by how
    many a sum is divided.
    """
    total = window_sums(dequantize(q, grid), window, counts)
    return quantize(total / np.maximum(seen, 1).astype(np.float32), to)
