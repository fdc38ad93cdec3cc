"""Pooling over regions of interest, in NumPy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from pyhades.kernels.arguments import Array
from pyhades.numerics import roi
from pyhades.numerics.roi import RoiMode


def roi_align(
    x: ArrayLike,
    rois: ArrayLike,
    images: ArrayLike,
    bins: Sequence[int],
    mode: RoiMode = "average",
    sampling_ratio: int = 0,
    scale: float = 1.0,
    half_pixel: bool = True,
) -> Array:
    """See :func:`pyhades.kernels.roi_align`; computed in float64."""
    wide, boxes = (np.asarray(array).astype(np.float64) for array in (x, rois))
    rows, columns = bins
    options = (mode, sampling_ratio, scale, half_pixel)
    y = roi.roi_align(wide, boxes, np.asarray(images), (rows, columns), *options)
    return y.astype(np.float32)


def roi_max_pool(x: ArrayLike, rois: ArrayLike, bins: Sequence[int], scale: float = 1.0) -> Array:
    """See :func:`pyhades.kernels.roi_max_pool`."""
    rows, columns = bins
    return roi.roi_max_pool(np.asarray(x), np.asarray(rois), (rows, columns), scale)
