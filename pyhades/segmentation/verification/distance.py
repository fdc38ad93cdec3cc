"""The nearest foreground pixel of every pixel, exactly, in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def nearest(
    truth: NDArray[np.bool_],
) -> tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.intp]]:
    """Euclidean distance to the nearest foreground pixel, and its row and column.

    ``truth`` has at least one such pixel. First the nearest one in each column, then the best
    column within reach: columns are looked at from near to far, until none can be better.
    """
    height, width = truth.shape
    row = _nearest_in_columns(truth)
    own = np.arange(height)[:, None]
    vertical = np.where(row >= 0, (row - own).astype(np.float64) ** 2, np.inf)
    best = vertical.copy()
    columns = np.broadcast_to(np.arange(width), truth.shape).copy()
    for offset in range(1, width):
        if offset**2 > best.max():
            break
        for here, there in (
            (slice(offset, None), slice(None, -offset)),
            (slice(None, -offset), slice(offset, None)),
        ):
            candidate = vertical[:, there] + offset**2
            # Of pixels that are equally far, the leftmost is taken.
            better = candidate <= best[:, here] if here.start else candidate < best[:, here]
            best[:, here][better] = candidate[better]
            shift = -offset if here.start else offset
            columns[:, here][better] = (np.arange(width)[here] + shift)[None, :].repeat(
                height, axis=0
            )[better]
    return np.sqrt(best), np.take_along_axis(row, columns, axis=1), columns


def _nearest_in_columns(truth: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Row of the nearest foreground pixel in the same column; -1 where there is none."""
    height = len(truth)
    rows: NDArray[Any] = np.arange(height)[:, None]
    before = np.maximum.accumulate(np.where(truth, rows, -1), axis=0)
    after = np.minimum.accumulate(np.where(truth, rows, 2 * height)[::-1], axis=0)[::-1]
    far = 4 * height
    up = np.where(before >= 0, rows - before, far)
    down = np.where(after < height, after - rows, far)
    chosen = np.where(up <= down, before, after)
    return np.where((up == far) & (down == far), -1, chosen)
