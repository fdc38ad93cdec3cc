"""Images: resampling by Pillow's convention, masks, compositing, the filters of PNG."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from pyhades.numerics.array import Array
from pyhades.numerics.interpolation import cubic, triangle

FILTERS = ("none", "sub", "up", "average", "paeth")
"""Filters of PNG, by number."""


def _lanczos(x: Array) -> Array:
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0)


_KERNELS: dict[str, tuple[Callable[[Array], Array], float]] = {
    "bilinear": (triangle, 1.0),
    "bicubic": (lambda x: cubic(x, -0.5), 2.0),
    "lanczos": (_lanczos, 3.0),
}
"""Kernel and radius."""


def tap_matrix(source: int, result: int, resample: str, antialias: bool) -> Array:
    """Weights ``[result, source]`` of a separable filter, by Pillow's convention."""
    scale = source / result
    centre = (np.arange(result)[:, None] + 0.5) * scale
    if resample == "nearest":
        chosen: Array = np.arange(source) == np.minimum(np.floor(centre), source - 1)
        return chosen.astype(np.float64)
    kernel, radius = _KERNELS[resample]
    stretch = max(scale, 1.0) if antialias else 1.0
    position = np.arange(source) + 0.5
    first = np.clip(np.floor(centre - radius * stretch + 0.5), 0, source)
    last = np.clip(np.floor(centre + radius * stretch + 0.5), 0, source)
    inside = (np.arange(source) >= first) & (np.arange(source) < last)
    weights = np.where(inside, kernel((position - centre) / stretch), 0.0)
    normalised: Array = weights / weights.sum(axis=1, keepdims=True)
    return normalised


def normalize_image(
    image: Array,
    size: tuple[int, int],
    mean: Sequence[float],
    std: Sequence[float],
    scale: float,
    resample: str,
    antialias: bool,
) -> Array:
    """(scale * resampled - mean) / std of an image [h, w, 3], as [3, *size] in float64."""
    rows = tap_matrix(image.shape[0], size[0], resample, antialias)
    columns = tap_matrix(image.shape[1], size[1], resample, antialias)
    resized = np.einsum("yh,hwc,xw->cyx", rows, image.astype(np.float64), columns, optimize=True)
    shift, width = (np.asarray(values, np.float64).reshape(3, 1, 1) for values in (mean, std))
    return np.asarray((np.clip(resized, 0, 255) * scale - shift) / width)


def upscale_mask(mask: Array, size: tuple[int, int]) -> Array:
    """Bilinear interpolation of a float32 mask [h, w], as alpha in uint8."""
    left, right, across = _interpolation_points(mask.shape[1], size[1])
    wide = mask[:, left] + across * (mask[:, right] - mask[:, left])
    upper, lower, down = _interpolation_points(mask.shape[0], size[0])
    value = wide[upper] + down[:, None] * (wide[lower] - wide[upper])
    scaled = np.clip(value, 0, 1) * np.float32(255) + np.float32(0.5)
    return np.asarray(scaled.astype(np.uint8))


def _interpolation_points(source: int, result: int) -> tuple[Array, Array, Array]:
    position = np.clip((np.arange(result) + 0.5) * (source / result) - 0.5, 0, source - 1)
    index = position.astype(np.int64)
    return index, np.minimum(index + 1, source - 1), (position - index).astype(np.float32)


def composite(image: Array, alpha: Array, background: Array) -> Array:
    """``image * alpha / 255 + background * (1 - alpha / 255)``, rounded, in integers."""
    weight = alpha[..., None].astype(np.int64)
    mixed = image * weight + background.astype(np.int64) * (255 - weight)
    return np.asarray(((mixed + 127) // 255).astype(np.uint8))


def png_filter(rows: Array, bytes_per_pixel: int, filter: str) -> Array:
    """Each row as the number of its filter and what that leaves (PNG specification, section 9)."""
    padded = np.pad(rows.astype(np.int64), ((1, 0), (bytes_per_pixel, 0)))
    left = padded[1:, :-bytes_per_pixel]
    above = padded[:-1, bytes_per_pixel:]
    above_left = padded[:-1, :-bytes_per_pixel]
    estimate = left + above - above_left
    to_left, to_above, to_both = (np.abs(estimate - v) for v in (left, above, above_left))
    nearest = np.where(to_above <= to_both, above, above_left)
    prediction = {
        "none": np.zeros_like(left),
        "sub": left,
        "up": above,
        "average": (left + above) // 2,
        "paeth": np.where((to_left <= to_above) & (to_left <= to_both), left, nearest),
    }[filter]
    number = np.full((len(rows), 1), FILTERS.index(filter), np.uint8)
    return np.hstack([number, (rows - prediction).astype(np.uint8)])
