"""Pooling, in NumPy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from pyhades.kernels.arguments import Array
from pyhades.kernels.pool import pooled_extent


def max_pool(
    x: ArrayLike,
    kernel: Sequence[int],
    strides: Sequence[int] | None = None,
    pads: Sequence[int] = (0, 0, 0, 0),
    dilations: Sequence[int] = (1, 1),
    *,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Array | tuple[Array, Array]:
    """See :func:`pyhades.kernels.max_pool`."""
    x = np.asarray(x)
    rows, columns = _positions(x, kernel, strides or kernel, pads, dilations, ceil_mode)
    numbers = np.nan_to_num(x, nan=-np.inf, posinf=np.inf, neginf=-np.inf)
    taps, inside = _taps(numbers, rows, columns)
    best = _argmax(taps, inside)
    y = np.take_along_axis(taps, best[..., None], -1)[..., 0]
    if not return_indices:
        return y
    _, c, h, w = x.shape
    ky, kx = np.divmod(best, columns.shape[1])
    row = rows[np.arange(rows.shape[0])[:, None], ky]
    column = columns[np.arange(columns.shape[0]), kx]
    plane = np.arange(x.shape[0] * c).reshape(-1, c, 1, 1)
    return y, plane * h * w + row * w + column


def average_pool(
    x: ArrayLike,
    kernel: Sequence[int],
    strides: Sequence[int] | None = None,
    pads: Sequence[int] = (0, 0, 0, 0),
    dilations: Sequence[int] = (1, 1),
    *,
    ceil_mode: bool = False,
    count_include_pad: bool = False,
) -> Array:
    """See :func:`pyhades.kernels.average_pool`; sums in float64."""
    x = np.asarray(x)
    rows, columns = _positions(x, kernel, strides or kernel, pads, dilations, ceil_mode)
    taps, inside = _taps(x.astype(np.float64), rows, columns)
    counted = inside
    if count_include_pad:
        counted = (rows < x.shape[2] + pads[2])[:, None, :, None] & (
            columns < x.shape[3] + pads[3]
        )[None, :, None, :]
        counted = counted.reshape(inside.shape)
    total = np.where(inside, taps, 0.0).sum(-1)
    mean: Array = (total / np.maximum(counted.sum(-1), 1)).astype(x.dtype)
    return mean


def _positions(
    x: Array,
    kernel: Sequence[int],
    strides: Sequence[int],
    pads: Sequence[int],
    dilations: Sequence[int],
    ceil_mode: bool,
) -> list[Array]:
    """Per axis the input position of every tap of every window, ``[windows, taps]``."""
    positions = []
    for axis in range(2):
        geometry = (kernel[axis], strides[axis], dilations[axis])
        count = pooled_extent(x.shape[2 + axis], *geometry, pads[axis], pads[axis + 2], ceil_mode)
        starts = np.arange(count)[:, None] * strides[axis] - pads[axis]
        positions.append(starts + np.arange(kernel[axis]) * dilations[axis])
    return positions


def _taps(x: Array, rows: Array, columns: Array) -> tuple[Array, Array]:
    """All taps ``[n, c, oh, ow, taps]`` and which of them ``[oh, ow, taps]`` lie inside."""
    _, _, h, w = x.shape
    inside_rows, inside_columns = (rows >= 0) & (rows < h), (columns >= 0) & (columns < w)
    picked = x[:, :, rows.clip(0, h - 1)][:, :, :, :, columns.clip(0, w - 1)]
    taps = picked.transpose(0, 1, 2, 4, 3, 5)
    inside = inside_rows[:, None, :, None] & inside_columns[None, :, None, :]
    window = rows.shape[1] * columns.shape[1]
    return taps.reshape(*taps.shape[:4], window), inside.reshape(*inside.shape[:2], window)


def _argmax(taps: Array, inside: Array) -> Array:
    """Position of the first largest tap that lies inside."""
    order = np.where(inside, taps.astype(np.float64), -np.inf)
    first_inside = np.broadcast_to(inside.argmax(-1), order.shape[:-1])
    best = order.argmax(-1)
    return np.where(order.max(-1) == -np.inf, first_inside, best)
