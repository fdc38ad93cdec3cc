"""The image kernels in NumPy; see :mod:`pyhades.kernels.image` for what the arguments mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]

FILTERS = ("none", "sub", "up", "average", "paeth")


def normalize_image(
    image: Array,
    size: tuple[int, int],
    mean: Sequence[float] = (0.0, 0.0, 0.0),
    std: Sequence[float] = (1.0, 1.0, 1.0),
    antialias: bool = True,
    *,
    scale: float = 1 / 255,
    resample: str = "bilinear",
    layout: str = "NCHW",
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """See :func:`pyhades.kernels.normalize_image`."""
    rows = tap_matrix(image.shape[0], size[0], resample, antialias)
    columns = tap_matrix(image.shape[1], size[1], resample, antialias)
    resized = np.einsum("yh,hwc,xw->cyx", rows, image.astype(np.float64), columns, optimize=True)
    shift, width = (np.asarray(values, np.float64).reshape(3, 1, 1) for values in (mean, std))
    normalised = (np.clip(resized, 0, 255) * scale - shift) / width
    planes = normalised[None].astype(np.float32)
    return _return(planes if layout == "NCHW" else planes.transpose(0, 2, 3, 1), out)


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


def _triangle(x: Array) -> Array:
    weights: Array = np.maximum(0, 1 - np.abs(x))
    return weights


def _cubic(x: Array) -> Array:
    a, x = -0.5, np.abs(x)
    near = (a + 2) * x**3 - (a + 3) * x**2 + 1
    far = a * (x**3 - 5 * x**2 + 8 * x - 4)
    return np.where(x < 1, near, np.where(x < 2, far, 0))


def _lanczos(x: Array) -> Array:
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0)


_KERNELS: dict[str, tuple[Callable[[Array], Array], float]] = {
    "bilinear": (_triangle, 1.0),
    "bicubic": (_cubic, 2.0),
    "lanczos": (_lanczos, 3.0),
}


def upscale_mask(
    mask: Array,
    size: tuple[int, int],
    *,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """See :func:`pyhades.kernels.upscale_mask`."""
    left, right, across = _interpolation_points(mask.shape[1], size[1])
    wide = mask[:, left] + across * (mask[:, right] - mask[:, left])
    upper, lower, down = _interpolation_points(mask.shape[0], size[0])
    value = wide[upper] + down[:, None] * (wide[lower] - wide[upper])
    scaled = np.clip(value, 0, 1) * np.float32(255) + np.float32(0.5)
    return _return(scaled.astype(np.uint8), out)


def _interpolation_points(source: int, result: int) -> tuple[Array, Array, Array]:
    position = np.clip((np.arange(result) + 0.5) * (source / result) - 0.5, 0, source - 1)
    index = position.astype(np.int64)
    return index, np.minimum(index + 1, source - 1), (position - index).astype(np.float32)


def composite(
    image: Array,
    alpha: Array,
    background: ArrayLike,
    *,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """See :func:`pyhades.kernels.composite`."""
    weight = alpha[..., None].astype(np.int64)
    mixed = image * weight + np.asarray(background, np.int64) * (255 - weight)
    return _return(((mixed + 127) // 255).astype(np.uint8), out)


def png_filter(
    rows: Array,
    bytes_per_pixel: int,
    filter: str = "sub",
    *,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """See :func:`pyhades.kernels.png_filter`."""
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
    return _return(np.hstack([number, (rows - prediction).astype(np.uint8)]), out)


def _return(result: Array, out: Array | None) -> Array:
    if out is None:
        return result
    out[...] = result
    return out
