"""Moving elements without looking at them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pyhades.numerics.array import Array

PAD_MODES = ("constant", "reflect", "edge", "wrap")


def pad(x: Array, pads: Sequence[tuple[int, int]], mode: str, value: Any = 0) -> Array:
    """Continue each axis at both ends: by ``value``, mirrored, by its edge, or periodically.

    A negative pad crops what is returned, not what is continued.
    """
    for axis, (before, after) in enumerate(pads):
        extent = x.shape[axis]
        positions = np.arange(-before, extent + after)
        if mode != "constant":
            x = np.take(x, _continued(positions, extent, mode), axis)
            continue
        inside = (positions >= 0) & (positions < extent)
        shape = (*x.shape[:axis], len(positions), *x.shape[axis + 1 :])
        filled = np.full(shape, np.asarray(value).astype(x.dtype))
        where = (slice(None),) * axis
        filled[(*where, inside)] = x[(*where, positions[inside])]
        x = filled
    return x


def _continued(positions: Array, extent: int, mode: str) -> Array:
    """Source index of every position when an axis of ``extent`` elements is continued."""
    if mode == "edge":
        return np.clip(positions, 0, extent - 1)
    if mode == "wrap":
        return positions % extent
    folded = positions % max(2 * (extent - 1), 1)
    return np.where(folded < extent, folded, 2 * (extent - 1) - folded)


def depth_to_space(x: Array, block: int, depth_first: bool) -> Array:
    """Channels to blocks of pixels; blocks vary slowest in the channels, or depth does."""
    n, c, h, w = x.shape
    depth = c // (block * block)
    if depth_first:
        y = x.reshape(n, depth, block, block, h, w).transpose(0, 1, 4, 2, 5, 3)
    else:
        y = x.reshape(n, block, block, depth, h, w).transpose(0, 3, 4, 1, 5, 2)
    return y.reshape(n, depth, h * block, w * block)


def space_to_depth(x: Array, block: int, depth_first: bool) -> Array:
    """Blocks of pixels to channels, the inverse of :func:`depth_to_space`."""
    n, c, h, w = x.shape
    y = x.reshape(n, c, h // block, block, w // block, block)
    order = (0, 1, 3, 5, 2, 4) if depth_first else (0, 3, 5, 1, 2, 4)
    return y.transpose(order).reshape(n, c * block * block, h // block, w // block)


def reverse_sequence(x: Array, lengths: Array, time: int, batch: int) -> Array:
    """The first ``lengths`` elements along axis ``time`` reversed, per entry of axis ``batch``."""
    y = x.copy()
    target, source = np.moveaxis(y, (time, batch), (0, 1)), np.moveaxis(x, (time, batch), (0, 1))
    for entry, length in enumerate(lengths):
        target[:length, entry] = source[:length, entry][::-1]
    return y
