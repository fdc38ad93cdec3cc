"""What rembg does to a mask before it is used."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pyhades.segmentation.finish.contour import STRIP, choke

Mask = NDArray[np.uint8]

_SIGMA = 2
_REACH = 4 * _SIGMA
_WEIGHTS = np.exp(-0.5 * (np.arange(-_REACH, _REACH + 1) / _SIGMA) ** 2)
_WEIGHTS = (_WEIGHTS / _WEIGHTS.sum()).astype(np.float32)
_MIDDLE = 127
"""Levels below it become background."""


def smoothed(mask: Mask) -> Mask:
    """Without specks of a pixel, blurred, and then hard: 0 and 255; uint8 ``[height, width]``."""
    opened = choke(choke(mask, 1), -1)
    result = np.empty_like(mask)
    # A symmetric border repeats the pixels at the edge, the nearest first.
    padded = np.pad(opened, _REACH, mode="symmetric")
    for top in range(0, len(mask), STRIP):
        rows = padded[top : top + STRIP + 2 * _REACH].astype(np.float32)
        blurred = _blurred(_blurred(rows).T).T
        result[top : top + STRIP] = (blurred >= _MIDDLE).view(np.uint8) * np.uint8(255)
    return result


def _blurred(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weighted means along the first axis, which gets shorter by the reach on both sides."""
    count = len(rows) - 2 * _REACH
    total: NDArray[np.float32] = rows[_REACH : _REACH + count] * _WEIGHTS[_REACH]
    for distance in range(1, _REACH + 1):
        before = rows[_REACH - distance : _REACH - distance + count]
        after = rows[_REACH + distance : _REACH + distance + count]
        total += (before + after) * _WEIGHTS[_REACH + distance]
    return total


def eroded(inside: NDArray[np.bool_], size: int, *, beyond: bool) -> NDArray[np.bool_]:
    """Where a square of ``size`` pixels around a pixel is all inside; bool ``[height, width]``.

    ``beyond`` is what is taken to lie beyond the edges of the picture.
    """
    if size < 2:
        return inside
    before = size // 2
    result = np.pad(inside, (before, size - 1 - before), constant_values=beyond)
    for _ in range(2):
        reach = 1  # pixels that a value stands for already
        while reach < size:
            step = min(reach, size - reach)
            result = result[step:] & result[:-step]
            reach += step
        result = result.T
    return result
