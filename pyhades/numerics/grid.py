"""Sampling of images at the positions of a grid; a grid of positions from a matrix.

A grid holds per output position where to look, x first, then y (and z). -1 and 1 are the outermost
pixels: their centres with ``align_corners``, their outer edges without.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Literal, get_args

import numpy as np

from pyhades.numerics.array import Array
from pyhades.numerics.interpolation import cubic

GridMode = Literal["linear", "nearest", "cubic"]
GridPadding = Literal["zeros", "border", "reflection"]
GRID_MODES: tuple[GridMode, ...] = get_args(GridMode)
GRID_PADDINGS: tuple[GridPadding, ...] = get_args(GridPadding)

CUBIC_COEFFICIENT = -0.75


def base_grid(spatial: Sequence[int], align_corners: bool, dtype: np.dtype[np.generic]) -> Array:
    """The identity, in homogeneous coordinates: [positions, axes + 1], x first and a one last."""
    lines = []
    for extent in spatial:
        positions = np.arange(extent, dtype=np.float64)
        if align_corners:
            # A single pixel has both outermost centres, and lies between them.
            lines.append(2 * positions / (extent - 1) - 1 if extent > 1 else positions)
        else:
            lines.append((2 * positions + 1) / extent - 1)
    axes = [axis.reshape(-1) for axis in np.meshgrid(*lines, indexing="ij")]
    return np.stack([*reversed(axes), np.ones_like(axes[0])], axis=-1).astype(dtype)


def affine_grid(theta: Array, spatial: Sequence[int], align_corners: bool = False) -> Array:
    """Grid [n, *spatial, axes] of the affine maps ``theta`` [n, axes, axes + 1]."""
    base = base_grid(spatial, align_corners, theta.dtype)
    moved = base @ theta.swapaxes(1, 2)
    return np.asarray(moved.reshape(len(theta), *spatial, len(spatial)))


def grid_sample(
    x: Array,
    grid: Array,
    mode: str = "linear",
    padding: str = "zeros",
    align_corners: bool = False,
) -> Array:
    """X [n, c, *spatial] at the positions of ``grid`` [n, *out, axes], as [n, c, *out]."""
    spatial = x.shape[2:]
    axes = [
        _taps(grid[..., len(spatial) - 1 - axis], extent, mode, padding, align_corners)
        for axis, extent in enumerate(spatial)
    ]
    images = np.arange(len(x)).reshape(-1, *[1] * (grid.ndim - 2))
    y = np.zeros((len(x), *grid.shape[1:-1], x.shape[1]), np.result_type(x, grid))
    last = np.moveaxis(x, 1, -1)
    for taps in product(*axes):
        weight = np.prod([weight for _, weight in taps], axis=0)
        seen = last[(images, *(index for index, _ in taps))]
        y += np.where(weight[..., None] != 0, seen, 0) * weight[..., None]
    return np.ascontiguousarray(np.moveaxis(y, -1, 1)).astype(x.dtype, copy=False)


def _taps(
    grid: Array, extent: int, mode: str, padding: str, align_corners: bool
) -> list[tuple[Array, Array]]:
    """Positions along one axis, all inside of it, and weights."""
    low, high = (0.0, extent - 1.0) if align_corners else (-0.5, extent - 0.5)
    x = (grid + 1) / 2 * (high - low) + low
    if mode == "nearest":
        x = np.rint(x)
    # Cubic taps meet the border one by one, not the position that they surround.
    first_step = "zeros" if (mode, padding) == ("cubic", "border") else padding
    outside = (x < low) | (x > high)
    x = np.where(outside, _brought_back(x, low, high, extent, first_step), x)
    first = np.floor(x)
    t = x - first
    if mode == "nearest":
        weights, offsets = [np.ones_like(x)], [0]
    elif mode == "linear":
        weights, offsets = [1 - t, t], [0, 1]
    else:
        offsets = [-1, 0, 1, 2]
        weights = [cubic(t - offset, CUBIC_COEFFICIENT) for offset in offsets]
    taps = []
    for weight, offset in zip(weights, offsets, strict=True):
        index = first + offset
        if padding == "zeros":
            weight = np.where((index >= 0) & (index < extent), weight, 0)
        elif padding == "reflection":
            index = _brought_back(index, low, high, extent, padding)
        index = np.clip(np.nan_to_num(index), 0, extent - 1)
        taps.append((index.astype(np.int64), weight))
    return taps


def _brought_back(x: Array, low: float, high: float, extent: int, padding: str) -> Array:
    """Positions outside of an axis as ``padding`` understands them."""
    if padding == "zeros":
        return np.clip(x, -4, extent + 4)
    if padding == "border":
        return np.clip(x, 0, extent - 1)
    span = high - low
    if span == 0:
        return np.zeros_like(x)
    from_low = np.abs(x - low) % (2 * span)
    return np.asarray(low + np.minimum(from_low, 2 * span - from_low), x.dtype)
