"""How much memory finishing takes beside the picture, its matte and its cut-out."""

from __future__ import annotations

from pyhades.segmentation.finish.finish import Finish
from pyhades.segmentation.finish.refine import GRID, Refinement

CELL = 260
"""Bytes per cell of the grid of a refinement."""
PARTS = 18
"""Bytes per pixel while parts are looked for: masks, and the runs of a matte without much noise."""
CONTOUR = 5
"""While a contour is moved, softened, or shown as a trimap."""
SHOWN = 20
"""Bytes per pixel of a result that is not a part of the cut-out: its pixels, and those of its file
until it is written; with a shadow, that as well."""


def bytes_of(finish: Finish, pixels: int) -> int:
    """What the steps take at most, one after the other, on a picture of so many pixels.

    Examples
    --------
    >>> bytes_of(Finish(), 12_000_000)
    0
    >>> bytes_of(Finish(refine=True), 12_000_000) >> 20
    271
    """
    matte = [0]
    if isinstance(finish.refine, Refinement):
        grid = finish.refine.grid or GRID
        matte.append(pixels + CELL * min(pixels, grid * grid))
    if finish.largest or finish.specks or finish.fill_holes:
        matte.append(PARTS * pixels)
    if finish.threshold or finish.choke or finish.feather or finish.only:
        matte.append(CONTOUR * pixels)
    return max(matte) + SHOWN * _shown(finish, pixels)


def _shown(finish: Finish, pixels: int) -> int:
    """Pixels of a result that has memory of its own."""
    if finish.canvas is not None:
        return finish.canvas[0] * finish.canvas[1]
    if finish.long_side is not None:
        return finish.long_side**2
    return pixels if finish.crop or finish.shadow else 0
