"""The image kernels in NumPy; see :mod:`pyhades.kernels.image` for what the arguments mean."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from pyhades.kernels.arguments import Array
from pyhades.numerics import image as specification


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
    """See :func:`pyhades.kernels.normalize_image`; in float64, rounded once."""
    normalised = specification.normalize_image(image, size, mean, std, scale, resample, antialias)
    planes = normalised[None].astype(np.float32)
    return _return(planes if layout == "NCHW" else planes.transpose(0, 2, 3, 1), out)


def upscale_mask(
    mask: Array,
    size: tuple[int, int],
    *,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """See :func:`pyhades.kernels.upscale_mask`."""
    return _return(specification.upscale_mask(mask, size), out)


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
    return _return(specification.composite(image, alpha, np.asarray(background)), out)


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
    return _return(specification.png_filter(rows, bytes_per_pixel, filter), out)


def _return(result: Array, out: Array | None) -> Array:
    if out is None:
        return result
    out[...] = result
    return out
