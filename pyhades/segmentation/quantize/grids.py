"""From what was seen to scales and zero points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pyhades.arguments import one_of
from pyhades.ir.quantization import Quantization
from pyhades.numerics.array import Array
from pyhades.segmentation.quantize.histogram import Histogram
from pyhades.segmentation.quantize.recipe import Clipping, Recipe
from pyhades.segmentation.quantize.statistics import EdgeStatistics

LEVELS = 255
"""Steps of an activation's grid."""
LARGEST = 127
"""Of the integers of weights, either way: the grid is symmetric."""

_SHARES = np.linspace(1.0, 0.2, 81)
"""Of the range that was seen, tried as the end of a grid."""
_CLIPPED = 2.0
"""How much more the error of a number beyond the ends counts: it is the same all over what is loud,
where that of rounding may differ from pixel to pixel. In what is smooth it does not: masks are
further off with 32, and with grids that hold everything."""
_WEIGHT_SHARES = np.linspace(1.0, 0.5, 21)


def activation_grid(seen: EdgeStatistics, recipe: Recipe) -> Quantization:
    """One scale and zero point, uint8; 0 is a point of it.

    Where no number is negative the zero point is 0, so that the grid does what Relu does.
    """
    low, high = min(seen.low, 0.0), max(seen.high, 0.0)
    if recipe.activations == "percentile":
        low, high = _percentile(seen.histogram, recipe.percentile, low, high)
    elif recipe.activations == "mse":
        low, high = _least_error(seen.histogram, low, high)
    return grid_between(low, high)


def grid_between(low: float, high: float) -> Quantization:
    """The grid of uint8 whose ends are nearest to ``low`` and ``high``, which lie around 0."""
    span = high - low
    # A span that is tiny or nothing: an edge that was 0 on all pictures.
    scale = np.float32(span / LEVELS if span > 1e-30 else 1.0 / LEVELS)
    zero = int(np.clip(np.rint(-low / float(scale)), 0, LEVELS))
    return Quantization(np.asarray(scale), np.asarray(zero, np.uint8), "uint8")


def _percentile(h: Histogram, percentile: float, low: float, high: float) -> tuple[float, float]:
    outside = h.counts.sum() * (1 - percentile / 100)
    below, above = np.cumsum(h.counts), np.cumsum(h.counts[::-1])
    centres = h.centres
    first = centres[np.searchsorted(below, outside, "right").clip(0, len(centres) - 1)]
    last = centres[::-1][np.searchsorted(above, outside, "right").clip(0, len(centres) - 1)]
    return max(low, min(float(first), 0.0)), min(high, max(float(last), 0.0))


def _least_error(h: Histogram, low: float, high: float) -> tuple[float, float]:
    """Ends within the range for which the squared error is least, one end after the other."""
    best = (low, high)
    for _ in range(2 if low < 0 < high else 1):
        if high > 0:
            tried = [(best[0], high * share) for share in _SHARES]
            best = min(tried, key=lambda ends: _error(h, *ends))
        if low < 0:
            tried = [(low * share, best[1]) for share in _SHARES]
            best = min(tried, key=lambda ends: _error(h, *ends))
    return best


def _error(h: Histogram, low: float, high: float) -> float:
    grid = grid_between(low, high)
    assert grid.zero_point is not None
    scale, zero = float(grid.scale), int(grid.zero_point)
    x = h.centres
    steps = np.rint(x / scale)
    inside = np.clip(steps, -zero, LEVELS - zero)
    counts = h.counts * np.where(inside == steps, 1.0, _CLIPPED)
    return float(((x - inside * scale) ** 2 * counts).sum())


def weight_scales(weight: Array, axis: int, clipping: Clipping, percentile: float) -> Array:
    """A scale per position of ``axis``, float32, for integers from -127 to 127."""
    one_of("clipping", clipping, Clipping)
    rows = np.moveaxis(weight, axis, 0).reshape(weight.shape[axis], -1).astype(np.float32)
    peaks = np.abs(rows).max(axis=1, initial=0.0)
    if clipping == "percentile":
        peaks = np.minimum(peaks, np.percentile(np.abs(rows), percentile, axis=1))
    peaks = np.where(peaks > 1e-30, peaks, 1.0).astype(np.float32)
    if clipping == "mse":
        peaks = peaks * _best_shares(rows, peaks)
    return np.asarray(peaks / LARGEST, np.float32)


def _best_shares(rows: NDArray[np.float32], peaks: NDArray[np.float32]) -> NDArray[np.float32]:
    best, errors = np.ones(len(rows), np.float32), np.full(len(rows), np.inf)
    for share in _WEIGHT_SHARES:
        scale = (peaks * np.float32(share) / LARGEST)[:, None]
        rounded = np.clip(np.rint(rows / scale), -LARGEST, LARGEST) * scale
        error = np.square(rows - rounded).sum(axis=1, dtype=np.float64)
        better = error < errors
        best[better], errors[better] = share, error[better]
    return best


def weight_grid(scales: Array, axis: int) -> Quantization:
    """The grid of weights with these scales."""
    return Quantization(scales, None, "int8", axis)


def on_weight_grid(weight: Array, grid: Quantization) -> Array:
    """The nearest points, float32."""
    column = [1] * weight.ndim
    column[grid.axis or 0] = -1
    scale = grid.scale.reshape(column)
    steps = np.clip(np.rint(weight / scale), -LARGEST, LARGEST)
    return np.asarray(steps * scale, np.float32)
