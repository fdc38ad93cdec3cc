"""Where the contour of a matte lies, and how hard it is: threshold, choke, feather."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Matte = NDArray[np.uint8]

STRIP = 128
"""Rows that are worked on at once, so that they stay in the cache."""


def threshold(alpha: Matte, level: float) -> Matte:
    """Opaque where a matte reaches ``level``, which is above 0 and at most 1; nothing elsewhere.

    Examples
    --------
    >>> threshold(np.array([[0, 127, 128, 255]], np.uint8), 0.5)
    array([[  0,   0, 255, 255]], dtype=uint8)
    """
    least = math.ceil(level * 255)
    return (alpha >= least).view(np.uint8) * np.uint8(255)


def choke(alpha: Matte, radius: int) -> Matte:
    """Draw the contour in by so many pixels; out where ``radius`` is negative.

    The smallest, or the largest, value in a disc around each pixel. The picture is taken to go on
    beyond its edge as it is there: what touches the edge is not eaten from there.

    Examples
    --------
    >>> choke(np.array([[0, 0, 255, 255, 255]], np.uint8), 1)
    array([[  0,   0,   0, 255, 255]], dtype=uint8)
    >>> choke(np.array([[0, 0, 255, 0, 0]], np.uint8), -1)
    array([[  0, 255, 255, 255,   0]], dtype=uint8)
    """
    if radius == 0:
        return alpha
    reach = abs(radius)
    combine = np.minimum if radius > 0 else np.maximum
    outside = 255 if radius > 0 else 0
    height = len(alpha)
    result = np.empty_like(alpha)
    for top in range(0, height, STRIP):
        bottom = min(top + STRIP, height)
        first, last = max(0, top - reach), min(height, bottom + reach)
        missing = (reach - (top - first), reach - (last - bottom))
        rows = np.pad(alpha[first:last], (missing, (reach, reach)), constant_values=outside)
        _over_disc(rows, reach, combine, result[top:bottom])
    return result


def _over_disc(rows: Matte, radius: int, combine: np.ufunc, out: Matte) -> None:
    """Combine values over a disc; ``rows`` reach ``radius`` further than ``out`` on all sides.

    A disc is a stack of segments. From the outermost row to the middle they get longer, and a
    longer one is the last with what comes at both of its ends.
    """
    height, width = out.shape
    segment = rows[:, radius : radius + width].copy()
    begun = False
    for distance, grown in _segments(radius):
        for reach in grown:
            for left in (radius - reach, radius + reach):
                combine(segment, rows[:, left : left + width], out=segment)
        for top in {radius - distance, radius + distance}:
            if begun:
                combine(out, segment[top : top + height], out=out)
            else:
                out[...] = segment[top : top + height]
                begun = True


def _segments(radius: int) -> Iterator[tuple[int, range]]:
    """Rows of a disc from the outermost to the middle, and how far each reaches beyond the last."""
    reached = 0
    for distance in range(radius, -1, -1):
        reach = math.isqrt(radius * radius - distance * distance)
        yield distance, range(reached + 1, reach + 1)
        reached = reach


def feather(alpha: Matte, sigma: float) -> Matte:
    """Soften a matte by a Gaussian of so many pixels; the edge of the picture goes on as it is.

    Three boxes stand for the Gaussian, and differ from it by less than two hundredths.
    """
    return np.asarray(Image.fromarray(alpha).filter(ImageFilter.GaussianBlur(sigma)))
