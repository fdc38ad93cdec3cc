"""A matte that was enlarged takes its edges from the picture: the fast guided filter, in tiles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyhades.arguments import check_count
from pyhades.segmentation.finish.amounts import check_between
from pyhades.segmentation.finish.contour import choke
from pyhades.segmentation.finish.guided import coefficients

Pixels = NDArray[np.uint8]
Planes = NDArray[np.float32]

GRID = 1024
"""Longer side of the grid where nobody knows how a matte was made."""
TILE = 32
"""Cells a side of what is computed at once at full size."""


@dataclass(frozen=True)
class Refinement:
    """How a matte is refined.

    Attributes
    ----------
    grid
        Longer side, in cells, of the grid on which the filter is fitted: the size at which the
        matte was made, before it was enlarged. By default that of the network's output where it is
        known, and :data:`GRID` where it is not.
    radius
        Of the windows, in cells.
    penalty
        Variances of colour (of 0..1) below it are taken for noise.

    Notes
    -----
    Memory: the grid takes about 240 bytes a cell, 190 MB for 1024 x 768, whatever the size of the
    picture; the tiles take a few MB, and the result one byte a pixel.
    """

    grid: int | None = None
    radius: int = 3
    penalty: float = 1e-4

    def __post_init__(self) -> None:
        if self.grid is not None:
            check_count("grid", self.grid, least=16)
        check_count("radius", self.radius)
        object.__setattr__(self, "penalty", check_between("penalty", self.penalty, 0, 1))

    def apply(
        self, rgb: Pixels, alpha: Pixels, *, made_at: int | None = None, tile: int = TILE
    ) -> Pixels:
        """The refined matte; uint8 ``[height, width]``, a new array.

        Parameters
        ----------
        rgb
            uint8 ``[height, width, 3]``.
        alpha
            uint8 ``[height, width]``; it is not written to.
        made_at
            Longer side at which the matte was made.
        tile
            Cells a side of what is computed at once. The result does not depend on it.
        """
        side = -(-max(alpha.shape) // (self.grid or made_at or GRID))
        coarse = reduced(alpha[..., None], side)[0]
        band = _band(coarse, self.radius)
        result = alpha.copy()
        if band.any():
            colour = reduced(rgb, side)
            fitted = coefficients(colour, coarse, self.radius, self.penalty)
            for rows, columns in _tiles(band, tile):
                _evaluate(fitted, rgb, side, rows, columns, result)
        return result


def reduced(pixels: Pixels, side: int) -> Planes:
    """Means over squares of ``side`` pixels, in 0..1; float32 ``[channels, h, w]``.

    Those at the right and at the bottom may hold fewer pixels.
    """
    height, width, channels = pixels.shape
    rows, columns = -(-height // side), -(-width // side)
    sums = np.empty((rows, columns, channels), np.float32)
    lefts = np.arange(0, width, side)
    for row in range(rows):
        strip = pixels[row * side : (row + 1) * side]
        of_columns = np.add.reduce(strip, axis=0, dtype=np.uint32)
        sums[row] = np.add.reduceat(of_columns, lefts, axis=0) / len(strip)
    widths = np.minimum(side, width - lefts)
    return np.ascontiguousarray((sums / (255 * widths[:, None])).transpose(2, 0, 1), np.float32)


def _band(coarse: NDArray[np.float32], radius: int) -> NDArray[np.bool_]:
    """Cells that can change: windows of windows with nothing but 0, or but 1, give just that."""
    reach = 2 * radius + 2  # cells are drawn upon by their neighbours, too
    some = choke((coarse > 0).view(np.uint8), -2 * reach)
    all_of_it = choke((coarse >= 1).view(np.uint8), 2 * reach)
    band: NDArray[np.bool_] = some != all_of_it
    return band


def _tiles(band: NDArray[np.bool_], tile: int) -> Iterator[tuple[range, range]]:
    """Rows and columns of squares of cells that have some of the band."""
    height, width = band.shape
    for top in range(0, height, tile):
        for left in range(0, width, tile):
            if band[top : top + tile, left : left + tile].any():
                yield range(top, min(top + tile, height)), range(left, min(left + tile, width))


def _evaluate(
    fitted: Planes, rgb: Pixels, side: int, rows: range, columns: range, out: Pixels
) -> None:
    """The function of the grid, between whose cells it is linear, of the colours of a tile."""
    height, width = out.shape
    y = np.arange(rows.start * side, min(rows.stop * side, height))
    x = np.arange(columns.start * side, min(columns.stop * side, width))
    (above, below, down), (left, right, along) = (
        _between(places, side, count)
        for places, count in zip((y, x), fitted.shape[1:], strict=True)
    )
    first, last = left[0], right[-1] + 1
    near = fitted[:, :, first:last]
    rows_of_it = near[:, above] * (1 - down)[:, None] + near[:, below] * down[:, None]
    planes = rows_of_it[:, :, left - first] * (1 - along) + rows_of_it[:, :, right - first] * along
    colours = rgb[y[0] : y[-1] + 1, x[0] : x[-1] + 1]
    opacity = planes[3]
    for channel in range(3):
        opacity += planes[channel] * (colours[..., channel] * np.float32(1 / 255))
    levels = np.clip(opacity, 0, 1) * np.float32(255) + np.float32(0.5)
    out[y[0] : y[-1] + 1, x[0] : x[-1] + 1] = levels.astype(np.uint8)


def _between(
    places: NDArray[np.int64], side: int, count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """The two cells whose middles a pixel lies between, and how far it is on the way."""
    exact = (places + 0.5) / side - 0.5
    before = np.floor(exact).astype(np.int64)
    share = (exact - before).astype(np.float32)
    return np.clip(before, 0, count - 1), np.clip(before + 1, 0, count - 1), share
