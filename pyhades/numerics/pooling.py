"""Pooling over windows of x [n, c, *spatial]."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pyhades.numerics.array import Array
from pyhades.numerics.window import Window, flat_positions, windows


def max_pool(
    x: Array, window: Window, counts: Sequence[int], column_major: bool = False
) -> tuple[Array, Array]:
    """Largest element per window, and where it lies in the flattened input, the first of equals.

    NaN loses against every number. Positions of the padding never win, even where all of the input
    is minus infinity. With ``column_major`` the planes are flattened column by column.
    """
    lowest = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    numbers = np.where(np.isnan(x), x.dtype.type(-np.inf), x) if x.dtype.kind == "f" else x
    taps = windows(numbers, window, counts, lowest)
    y = taps.max(axis=-1)
    positions = windows(flat_positions(x.shape, column_major), window, counts, -1)
    best = ((taps == y[..., None]) & (positions >= 0)).argmax(axis=-1)
    return y, np.take_along_axis(positions, best[..., None], axis=-1)[..., 0]


def average_pool(
    x: Array, window: Window, counts: Sequence[int], count_include_pad: bool = False
) -> Array:
    """Mean per window, 0 where a window sees nothing.

    Pads count if ``count_include_pad``; what reaches past them in ceil mode never does.
    """
    seen = numbers_seen(x.shape, window, counts, count_include_pad)
    return np.asarray(window_sums(x, window, counts) / np.maximum(seen, 1).astype(x.dtype))


def window_sums(x: Array, window: Window, counts: Sequence[int]) -> Array:
    """Sums of windows, tap after tap in order, as kernels add them."""
    taps = np.moveaxis(windows(x, window, counts, 0), -1, 0)
    return np.asarray(functools.reduce(np.add, taps))


def numbers_seen(
    shape: Sequence[int], window: Window, counts: Sequence[int], count_include_pad: bool = False
) -> Array:
    """How many elements of x ``[n, c, *spatial]`` each window sees, ``[1, 1, *counts]`` int64."""
    ones, inside = np.ones((1, 1, *shape[2:]), np.int64), window
    if count_include_pad:
        pads = zip(window.pads_begin, window.pads_end, strict=True)
        ones = np.pad(ones, [(0, 0), (0, 0), *pads], constant_values=1)
        none = (0,) * len(window.kernel)
        inside = replace(window, pads_begin=none, pads_end=none)
    return np.asarray(windows(ones, inside, counts, 0).sum(axis=-1))


def lp_pool(x: Array, window: Window, counts: Sequence[int], p: int) -> Array:
    """``sum(|x| ** p) ** (1 / p)`` per window; positions outside count as zeros."""
    return np.asarray(np.linalg.norm(windows(x, window, counts, 0), ord=p, axis=-1))


def max_unpool(x: Array, positions: Array, shape: Sequence[int], output: Sequence[int]) -> Array:
    """Zeros of ``shape`` with ``x`` at flat ``positions``; its ends are cut or extended."""
    flat = np.zeros(math.prod(shape), x.dtype)
    flat[positions.reshape(-1)] = x.reshape(-1)
    pads = [(0, max(o - s, 0)) for s, o in zip(shape, output, strict=True)]
    return np.pad(flat.reshape(shape), pads)[tuple(slice(o) for o in output)]
