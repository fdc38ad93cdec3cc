"""Resampling arrays: nearest, linear and cubic, with and without antialiasing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from pyhades.arguments import one_of
from pyhades.errors import ArgumentError
from pyhades.kernels.arguments import Array, call, output
from pyhades.kernels.pool import ByteGrid, grid_attributes
from pyhades.numerics.interpolation import Coordinates, Mode, NearestMode

Rounding = Literal["truncate", "nearest"]


def resize(
    x: ArrayLike,
    size: Sequence[int] | None = None,
    scales: Sequence[float] | None = None,
    mode: Mode = "linear",
    coordinates: Coordinates = "half_pixel",
    antialias: bool = False,
    *,
    nearest_mode: NearestMode = "round_prefer_floor",
    cubic_coeff_a: float = -0.75,
    exclude_outside: bool = False,
    extrapolation_value: float = 0.0,
    roi: Sequence[float] | None = None,
    rounding: Rounding = "truncate",
    x_grid: ByteGrid = (1.0, 0),
    y_grid: ByteGrid = (1.0, 0),
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """Resample the last axes of an array, as the ONNX operator Resize does.

    Parameters
    ----------
    x
        Any dtype for mode ``"nearest"``; float32, float64, uint8, int8 or int32 otherwise. Any
        strides; fastest for float32 images that are contiguous or channels-last.
    size
        New extents of the last ``len(size)`` axes. Give either ``size`` or ``scales``.
    scales
        Factors of the last ``len(scales)`` axes; extents become ``floor(extent * scale)``.
    mode
        ``"nearest"``, ``"linear"`` (bilinear on two axes) or ``"cubic"``.
    coordinates
        How output positions map to input positions; the names are those of ONNX.
    antialias
        Widen the kernel when shrinking, so that every input element counts.
    nearest_mode
        How mode ``"nearest"`` rounds.
    cubic_coeff_a
        Parameter of Keys' cubic kernel; -0.5 is Pillow's.
    exclude_outside
        Leave out taps outside the array instead of repeating its border.
    extrapolation_value
        What ``"tf_crop_and_resize"`` puts where its region leaves the array.
    roi
        For ``"tf_crop_and_resize"``: starts, then ends, of the resized axes in units of the extent.
    rounding
        How interpolated integers become integers again: cut off as ONNX does, or, of uint8 and
        two axes at most, to the ``"nearest"``, half to even.
    x_grid, y_grid
        For ``rounding="nearest"``, of bytes that stand for numbers on a grid: scale and zero point
        of x and of the result.
    out, threads, isa
        See :mod:`pyhades.kernels`; here ``out`` may have any strides.

    Returns
    -------
    ndarray
        The dtype of ``x``; integers saturate. Channels-last memory order where
        ``x`` is a 4-axis array in that order.

    Raises
    ------
    ArgumentError
        If sizes, scales or names make no sense, or the dtype has no kernel for the mode.

    Examples
    --------
    >>> resize(np.array([[0.0, 1.0]], np.float32), (1, 4))
    array([[0.  , 0.25, 0.75, 1.  ]], dtype=float32)
    """
    one_of("mode", mode, Mode)
    one_of("coordinates", coordinates, Coordinates)
    one_of("nearest_mode", nearest_mode, NearestMode)
    one_of("rounding", rounding, Rounding)
    x = np.asarray(x)
    shape, factors = resized_shape(x.shape, size, scales)
    result = _like(x, shape) if out is None else output(out, shape, x.dtype, any_strides=True)
    attributes = {
        "mode": mode,
        "coordinates": coordinates,
        "scales": factors,
        "roi": _full_roi(x.ndim, coordinates, roi),
        "nearest_mode": nearest_mode,
        "cubic_coeff_a": float(cubic_coeff_a),
        "exclude_outside": int(exclude_outside),
        "extrapolation_value": float(extrapolation_value),
        "antialias": int(antialias),
    }
    if rounding != "truncate":
        attributes |= {"rounding": rounding, **grid_attributes(x_grid, y_grid)}
    call("resize", [x], [result], attributes, threads=threads, isa=isa)
    return result


def resized_shape(
    shape: tuple[int, ...], size: Sequence[int] | None, scales: Sequence[float] | None
) -> tuple[tuple[int, ...], list[float]]:
    """Shape after resizing and the scale of every axis."""
    given = size if scales is None else scales
    if given is None or (size is not None and scales is not None):
        raise ArgumentError("give either size or scales")
    if len(given) > len(shape):
        raise ArgumentError(f"{len(given)} sizes or scales for an array of {len(shape)} axes")
    kept = len(shape) - len(given)
    extents = shape[kept:]
    if min(given, default=1) <= 0 or 0 in extents:
        raise ArgumentError(f"cannot resize {extents} to size={size} or by scales={scales}")
    if scales is None:
        sizes = tuple(int(extent) for extent in given)
        factors = [new / old for new, old in zip(sizes, extents, strict=True)]
    else:
        factors = [float(scale) for scale in given]
        sizes = tuple(math.floor(old * s) for old, s in zip(extents, factors, strict=True))
    return (*shape[:kept], *sizes), [1.0] * kept + factors


def _full_roi(rank: int, coordinates: str, roi: Sequence[float] | None) -> list[float]:
    if coordinates != "tf_crop_and_resize":
        return [0.0] * rank + [1.0] * rank
    if roi is None or len(roi) % 2 or len(roi) > 2 * rank:
        raise ArgumentError("tf_crop_and_resize needs a roi: starts, then ends, of the last axes")
    count = len(roi) // 2
    kept = rank - count
    starts, ends = [float(v) for v in roi[:count]], [float(v) for v in roi[count:]]
    return [0.0] * kept + starts + [1.0] * kept + ends


def _like(x: Array, shape: tuple[int, ...]) -> Array:
    if x.ndim == 4 and x.shape[1] > 1 and x.strides[1] == x.itemsize:
        n, c, h, w = shape
        return np.empty((n, h, w, c), x.dtype).transpose(0, 3, 1, 2)
    return np.empty(shape, x.dtype)
