"""Images of bytes that stand for numbers on a grid, interpolated and averaged to bytes again.

Every step is one rounding to float32, in the order written here, so that results are equal to the
last bit wherever they are computed. A factor of 1 is not multiplied with, which changes no number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pyhades.numerics.array import Array
from pyhades.numerics.interpolation import AxisResize, Sampling, axis_taps, original_coordinates
from pyhades.numerics.quantization import quantize
from pyhades.numerics.window import Window, windows


def resize_u8(
    q: Array,
    axes: Mapping[int, AxisResize],
    sampling: Sampling,
    zero: int,
    factor: float,
    y_zero: int,
) -> Array:
    """Interpolate bytes ``[n, c, h, w]``, one axis after the other, and go to the nearest byte.

    ``limit(round_half_even((v - zero) * factor) + y_zero)`` of what float32 sums give; an axis has
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
    return _from_counts(v - np.float32(zero), factor, y_zero)


def average_pool_u8(
    q: Array,
    window: Window,
    counts: Sequence[int],
    seen: Array,
    zero: int,
    factor: float,
    y_zero: int,
) -> Array:
    """Means of windows of bytes, as bytes; ``seen`` says by how many each sum is divided.

    ``limit(round_half_even(float32(sum(q - zero)) / seen * factor) + y_zero)``; what a window sees
    outside counts as zero.
    """
    sums = windows(q.astype(np.int32) - zero, window, counts, 0).sum(axis=-1)
    means = sums.astype(np.float32) / np.maximum(seen, 1).astype(np.float32)
    return _from_counts(means, factor, y_zero)


def _from_counts(v: Array, factor: float, y_zero: int) -> Array:
    scaled = v if factor == 1 else v * np.float32(factor)
    return quantize(scaled, np.ones((), np.float32), np.array(y_zero), "uint8")
