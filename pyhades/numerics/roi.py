"""Pooling over regions of interest, in as many bins whatever their size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np

from pyhades.numerics.array import Array

RoiMode = Literal["average", "max"]


def roi_align(
    x: Array,
    rois: Array,
    images: Array,
    bins: tuple[int, int],
    mode: str = "average",
    sampling_ratio: int = 0,
    scale: float = 1.0,
    half_pixel: bool = True,
) -> Array:
    """Means (or maxima) of samples of x [n, c, h, w] in the bins of ``rois`` [r, 4].

    A box is left, top, right, bottom. Its ``bins`` hold ``sampling_ratio`` squared samples each,
    or with 0 about one per pixel. A sample outside of the image is zero, as is an empty bin and a
    region of an image that does not exist.
    """
    y = np.zeros((len(rois), x.shape[1], *bins), x.dtype)
    options = (sampling_ratio, scale, half_pixel)
    for region, (box, image) in enumerate(zip(rois, images, strict=True)):
        if not 0 <= image < len(x):
            continue
        lines = [
            list(_lines(box[1 - axis], box[3 - axis], bins[axis], *options)) for axis in range(2)
        ]
        for row, rows in enumerate(lines[0]):
            for column, columns in enumerate(lines[1]):
                y[region, :, row, column] = _bin(x[image], rows, columns, mode)
    return y


def _lines(
    begin: Any, end: Any, bins: int, sampling_ratio: int, scale: float, half_pixel: bool
) -> Iterator[Array]:
    """Where the samples of each bin lie along one axis."""
    scale = type(begin)(scale)
    start = begin * scale - type(begin)(0.5 if half_pixel else 0)
    extent = end * scale - type(begin)(0.5 if half_pixel else 0) - start
    size = (extent if half_pixel else max(extent, type(begin)(1))) / type(begin)(bins)
    count = sampling_ratio if sampling_ratio > 0 else max(int(np.ceil(size)), 0)
    middles = (np.arange(count) + 0.5).astype(type(begin))
    for position in range(bins):
        yield start + position * size + middles * (size / type(begin)(max(count, 1)))


def _bin(x: Array, rows: Array, columns: Array, mode: str) -> Any:
    """One bin of x [c, h, w]."""
    if not len(rows) or not len(columns):
        return 0
    taps = [_taps(line, extent) for line, extent in zip((rows, columns), x.shape[1:], strict=True)]
    terms = []
    for down, row_weights in taps[0]:
        for right, column_weights in taps[1]:
            weights = row_weights[:, None] * column_weights
            terms.append(x[:, down[:, None], right] * weights)
    if mode == "max":  # of the weighted pixels, not of what they add up to: so ONNX has it
        return np.maximum.reduce(terms).max(axis=(1, 2))
    return np.add.reduce(terms).mean(axis=(1, 2))


def _taps(line: Array, extent: int) -> list[tuple[Array, Array]]:
    """The pixels before and after each sample of a line, and their weights."""
    inside = (line >= -1) & (line <= extent)
    at = np.clip(np.where(inside, line, 0), 0, extent - 1)
    before = np.floor(at).astype(np.int64)
    part = at - before
    after = np.minimum(before + 1, extent - 1)
    return [(before, np.where(inside, 1 - part, 0)), (after, np.where(inside, part, 0))]


def roi_max_pool(x: Array, rois: Array, bins: tuple[int, int], scale: float = 1.0) -> Array:
    """Largest pixel of x [n, c, h, w] in each bin of ``rois`` [r, 5]: image, then the box.

    Boxes are rounded to whole pixels, and include their last; an empty bin is zero.
    """
    y = np.zeros((len(rois), x.shape[1], *bins), x.dtype)
    for region, (image, *box) in enumerate(rois):
        if not 0 <= image < len(x):
            continue
        pixels = x[int(image)]
        spans = [
            list(_spans(box[1 - axis], box[3 - axis], bins[axis], scale, pixels.shape[1 + axis]))
            for axis in range(2)
        ]
        for row, rows in enumerate(spans[0]):
            for column, columns in enumerate(spans[1]):
                seen = pixels[:, rows, columns]
                if seen.size:
                    y[region, :, row, column] = seen.max(axis=(1, 2))
    return y


def _spans(begin: Any, end: Any, bins: int, scale: float, extent: int) -> Iterator[slice]:
    """The pixels of each bin along one axis."""
    first, last = (_away_from_zero(edge * type(begin)(scale)) for edge in (begin, end))
    size = max(last - first + 1, type(begin)(1)) / type(begin)(bins)
    for position in range(bins):
        start, stop = np.floor(position * size) + first, np.ceil((position + 1) * size) + first
        yield slice(*(int(np.clip(edge, 0, extent)) for edge in (start, stop)))


def _away_from_zero(value: Any) -> Any:
    """Rounded, ties away from zero."""
    return np.copysign(np.floor(np.abs(value) + type(value)(0.5)), value)
