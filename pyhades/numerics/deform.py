"""Deformable convolution: every tap of every output position is sampled at a place of its own."""

from __future__ import annotations

from itertools import product

import numpy as np

from pyhades.numerics.array import Array
from pyhades.numerics.window import Window


def deform_convolve(
    x: Array,
    w: Array,
    offset: Array,
    bias: Array | None,
    mask: Array | None,
    window: Window,
    groups: int = 1,
    offset_groups: int = 1,
) -> Array:
    """X [n, c, h, w] by w [o, c / groups, kh, kw], samples moved by ``offset`` in pixels.

    ``offset`` is [n, offset_groups * taps * 2, oh, ow], down before right, ``mask``, which samples
    are multiplied by, [n, offset_groups * taps, oh, ow].
    """
    n, c = x.shape[:2]
    taps, counts = list(window.taps()), offset.shape[2:]
    moves = offset.reshape(n, offset_groups, len(taps), 2, *counts)
    factors = None if mask is None else mask.reshape(n, offset_groups, len(taps), 1, *counts)
    parts = x.reshape(n, offset_groups, c // offset_groups, *x.shape[2:])
    samples = np.empty((n, offset_groups, c // offset_groups, len(taps), *counts), x.dtype)
    for index, tap in enumerate(taps):
        places = [
            np.arange(count).reshape(-1, 1) * stride - begin + position * dilation
            for count, stride, begin, position, dilation in zip(
                counts, window.strides, window.pads_begin, tap, window.dilations, strict=True
            )
        ]
        rows = places[0] + moves[:, :, index, 0]
        columns = places[1].T + moves[:, :, index, 1]
        sampled = bilinear(parts, rows, columns)
        samples[:, :, :, index] = sampled if factors is None else sampled * factors[:, :, index]
    o, per_group = w.shape[:2]
    grouped = samples.reshape(n, groups, per_group, len(taps), *counts)
    kernels = w.reshape(groups, o // groups, per_group, len(taps))
    y = np.einsum("ngcthw,goct->ngohw", grouped, kernels, optimize=True)
    y = y.reshape(n, o, *counts)
    return np.asarray(y if bias is None else y + bias.reshape(-1, 1, 1))


def bilinear(x: Array, rows: Array, columns: Array) -> Array:
    """X [n, g, c, h, w] at places [n, g, oh, ow], zero outside: [n, g, c, oh, ow]."""
    height, width = x.shape[3:]
    top, left = np.floor(rows), np.floor(columns)
    last = np.moveaxis(x, 2, -1)
    n, g = x.shape[:2]
    outer = np.arange(n).reshape(-1, 1, 1, 1), np.arange(g).reshape(1, -1, 1, 1)
    total = np.zeros((*rows.shape, x.shape[2]), x.dtype)
    for down, right in product((0, 1), (0, 1)):
        row, column = top + down, left + right
        weight = (1 - np.abs(rows - row)) * (1 - np.abs(columns - column))
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        picked = (np.where(inside, line, 0).astype(np.int64) for line in (row, column))
        seen = last[(*outer, *picked)]
        used = (inside & (weight != 0))[..., None]
        total += np.where(used, seen * np.where(used, weight[..., None], 0), 0)
    return np.moveaxis(total, -1, 2)
