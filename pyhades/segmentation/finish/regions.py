"""Which parts of a matte stay: the largest, those that are no specks, those without holes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pyhades.segmentation.finish.components import Components
from pyhades.segmentation.finish.contour import choke

Matte = NDArray[np.uint8]

HALF = 128
"""Of 255: from here on a pixel is foreground rather than background."""
FAINT = 26
"""A tenth: what is weaker joins nothing."""
SEEN = 1
"""What is weaker is not there."""
NEARLY_OPAQUE = 250


def keep_largest(alpha: Matte) -> Matte:
    """Only the part with the most foreground, with what is soft around it.

    Parts are joined where they touch, at sides or corners, by pixels of at least a tenth.

    Parameters
    ----------
    alpha
        uint8 ``[height, width]``; it is not written to.

    Examples
    --------
    >>> keep_largest(np.array([[255, 255, 0, 255, 0, 9]], np.uint8))
    array([[255, 255,   0,   0,   0,   0]], dtype=uint8)
    """
    parts = Components.of(alpha >= FAINT, corners=True)
    if not len(parts):
        return alpha
    chosen = np.arange(len(parts)) == int(np.argmax(parts.sums(alpha)))
    largest = parts.where(chosen)
    kept = np.where(largest | (alpha < FAINT), alpha, np.uint8(0))
    around = Components.of(kept >= SEEN, corners=True)
    return np.where(around.where(around.hit(largest)), kept, np.uint8(0))


def remove_specks(alpha: Matte, least: int) -> Matte:
    """Without parts of fewer than ``least`` pixels, and without what is soft around them.

    Examples
    --------
    >>> remove_specks(np.array([[255, 255, 0, 255, 0, 9]], np.uint8), 2)
    array([[255, 255,   0,   0,   0,   0]], dtype=uint8)
    """
    cores = Components.of(alpha >= FAINT, corners=True)
    gone = cores.where(cores.areas < least)
    kept = np.where(gone, np.uint8(0), alpha)
    parts = Components.of(kept >= SEEN, corners=True)
    beside = choke(gone.view(np.uint8), -2).view(np.bool_)
    is_rim = parts.hit(beside) & ~parts.hit(kept >= FAINT)
    return np.where(parts.where(is_rim | (parts.areas < least)), np.uint8(0), kept)


def fill_holes(alpha: Matte, most: int | None = None) -> Matte:
    """Opaque where background is enclosed by foreground.

    Parameters
    ----------
    alpha
        uint8 ``[height, width]``; it is not written to.
    most
        Larger holes, in pixels, stay. By default none does.

    Notes
    -----
    A hole is filled together with its soft rim, where that is enclosed as well. What is half
    transparent inside, such as glass, is no hole.

    Examples
    --------
    >>> ring = np.array([[255, 255, 255], [255, 0, 255], [255, 255, 255]], np.uint8)
    >>> int(fill_holes(ring)[1, 1])
    255
    """
    background = Components.of(alpha < HALF)
    enclosed = ~background.at_edge
    if most is not None:
        enclosed &= background.areas <= most
    if not enclosed.any():
        return alpha
    holes = background.where(enclosed)
    soft = Components.of(alpha < NEARLY_OPAQUE, corners=True)
    rims = soft.where(soft.hit(holes) & ~soft.at_edge & ~soft.hit(background.where(~enclosed)))
    return np.where(holes | rims, np.uint8(255), alpha)
