"""Pooling over regions of interest of images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from pyhades.arguments import one_of
from pyhades.errors import ArgumentError
from pyhades.kernels.arguments import Array, as_array, call, check_shape, output
from pyhades.numerics.roi import RoiMode

Pair = Sequence[int]


def roi_align(
    x: ArrayLike,
    rois: ArrayLike,
    images: ArrayLike,
    bins: Pair,
    mode: RoiMode = "average",
    sampling_ratio: int = 0,
    scale: float = 1.0,
    half_pixel: bool = True,
    *,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """Pool regions of any size into as many bins, from samples between pixels.

    Parameters
    ----------
    x
        float32 ``[n, c, h, w]``. A view whose channels are contiguous is read in place; another is
        copied.
    rois
        float32 ``[r, 4]``: left, top, right and bottom of each region.
    images
        int64 ``[r]``: the image that each is of. Regions of others are zero.
    bins
        Rows and columns of bins per region.
    mode
        ``"average"`` of the samples of a bin, or ``"max"`` of their weighted pixels (as ONNX has
        it).
    sampling_ratio
        Samples per bin along each axis; 0 means about one per pixel.
    scale
        Pixels per unit of ``rois``.
    half_pixel
        Whether the centre of the first pixel is at 0.5; otherwise at 0, and regions are at least
        one pixel large.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        float32 ``[r, c, *bins]``.

    Raises
    ------
    ArgumentError
        If shapes or options do not fit.
    ArgumentTypeError
        If an array has another dtype.

    Examples
    --------
    >>> x = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> roi_align(x, np.float32([[0, 0, 4, 4]]), np.int64([0]), (2, 2))
    array([[[[ 2.5,  4.5],
             [10.5, 12.5]]]], dtype=float32)
    """
    one_of("mode", mode, RoiMode)
    x, rois = as_array("x", x, ndim=4), as_array("rois", rois, ndim=2)
    images = np.ascontiguousarray(as_array("images", images, ndim=1, dtype=np.int64))
    check_shape("rois", rois, (len(rois), 4))
    check_shape("images", images, (len(rois),))
    if not 0 <= sampling_ratio <= 1 << 16:
        raise ArgumentError(f"sampling_ratio={sampling_ratio} must be between 0 and 65536")
    attributes = {
        "mode": mode,
        "sampling_ratio": int(sampling_ratio),
        "scale": float(scale),
        "half_pixel": int(half_pixel),
    }
    return _pool("roi_align", x, [rois, images], bins, attributes, out, threads, isa)


def roi_max_pool(
    x: ArrayLike,
    rois: ArrayLike,
    bins: Pair,
    scale: float = 1.0,
    *,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """Largest pixel of each bin of regions of any size.

    Parameters
    ----------
    x
        float32 ``[n, c, h, w]``. A view whose channels are contiguous is read in place; another is
        copied.
    rois
        float32 ``[r, 5]``: number of the image, then left, top, right and bottom, which are
        rounded to whole pixels; the last ones belong to the region. Regions of other images are
        zero.
    bins
        Rows and columns of bins per region.
    scale
        Pixels per unit of ``rois``.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        float32 ``[r, c, *bins]``; an empty bin is zero.

    Raises
    ------
    ArgumentError
        If shapes do not fit.
    ArgumentTypeError
        If an array is not float32.

    Examples
    --------
    >>> x = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> roi_max_pool(x, np.float32([[0, 0, 0, 3, 3]]), (2, 2))
    array([[[[ 5.,  7.],
             [13., 15.]]]], dtype=float32)
    """
    x, rois = as_array("x", x, ndim=4), as_array("rois", rois, ndim=2)
    check_shape("rois", rois, (len(rois), 5))
    attributes = {"scale": float(scale)}
    return _pool("roi_max_pool", x, [rois], bins, attributes, out, threads, isa)


def _pool(
    op: str,
    x: Array,
    operands: list[Array],
    bins: Pair,
    attributes: dict[str, Any],
    out: Array | None,
    threads: int | None,
    isa: str | None,
) -> Array:
    """Computed channels-last, and copied."""
    if len(bins) != 2 or min(bins) < 1:
        raise ArgumentError(f"bins={bins!r} should be 2 integers >= 1")
    if x.size == 0 and len(operands[0]) and x.shape[1]:
        raise ArgumentError(f"x of shape {x.shape} has no pixels")
    shape = (len(operands[0]), x.shape[1], int(bins[0]), int(bins[1]))
    result = output(out, shape)
    y = np.empty((shape[0], *shape[2:], shape[1]), np.float32).transpose(0, 3, 1, 2)
    if x.shape[1] > 1 and x.strides[1] != x.itemsize:
        x = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    call(op, [x, *operands], [y], attributes, threads=threads, isa=isa)
    result[...] = y
    return result
