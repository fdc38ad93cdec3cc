"""Folding: overlapping blocks of a sliding window are added up to an image."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pyhades.numerics.array import Array
from pyhades.numerics.window import Window


def fold(columns: Array, image: Sequence[int], window: Window) -> Array:
    """Columns [n, c * taps, blocks] as [n, c, *image]: each block is added at its place."""
    counts = window.fitting(image)
    taps = list(window.taps())
    n = len(columns)
    blocks = columns.reshape(n, columns.shape[1] // len(taps), len(taps), *counts)
    sides = zip(image, window.pads_begin, window.pads_end, strict=True)
    y = np.zeros((n, blocks.shape[1], *(x + b + e for x, b, e in sides)), columns.dtype)
    for index, tap in enumerate(taps):
        y[window.seen_by(tap, counts)] += blocks[:, :, index]
    inner = [slice(b, b + x) for x, b in zip(image, window.pads_begin, strict=True)]
    return np.ascontiguousarray(y[(slice(None), slice(None), *inner)])


def block_count(image: Sequence[int], window: Window) -> int:
    """How many places the window has."""
    return math.prod(window.fitting(image))
