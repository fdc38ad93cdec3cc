"""Resampling: which input positions an output position reads, with which weights.

Coordinates follow the ONNX operator Resize. Everything is computed in float64 and is a table, so
the reference and kernels that precompute their taps agree by construction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from pyhades.numerics.array import Array

Mode = Literal["nearest", "linear", "cubic"]
Coordinates = Literal[
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
    "align_corners",
    "asymmetric",
    "tf_half_pixel_for_nn",
    "tf_crop_and_resize",
]
NearestMode = Literal["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]
MODES: tuple[Mode, ...] = get_args(Mode)
COORDINATE_MODES: tuple[Coordinates, ...] = get_args(Coordinates)
NEAREST_MODES: tuple[NearestMode, ...] = get_args(NearestMode)


@dataclass(frozen=True)
class AxisResize:
    """Extents before and after, the scale that was asked for, and the region of interest."""

    extent: int
    output: int
    scale: float
    start: float = 0.0
    end: float = 1.0


@dataclass(frozen=True)
class Sampling:
    """How to interpolate; the attributes of Resize."""

    mode: str = "nearest"
    coordinates: str = "half_pixel"
    nearest_mode: str = "round_prefer_floor"
    cubic_coeff_a: float = -0.75
    antialias: bool = False
    exclude_outside: bool = False


@dataclass(frozen=True)
class Taps:
    """Per output position: ``indices`` and ``weights`` [output, taps]; ``outside`` [output]."""

    indices: Array
    weights: Array
    outside: Array


def original_coordinates(axis: AxisResize, mode: str) -> Array:
    """Where each output position lies in the input, [output] float64."""
    x = np.arange(axis.output, dtype=np.float64)
    centres = (x + 0.5) / axis.scale
    last, count = axis.extent - 1, axis.output
    match mode:
        case "half_pixel":
            return centres - 0.5
        case "half_pixel_symmetric":
            # A scale may ask for a fraction of a pixel; what is lost comes off both ends alike.
            adjustment = axis.output / (axis.scale * axis.extent)
            return axis.extent / 2 * (1 - adjustment) + centres - 0.5
        case "pytorch_half_pixel":
            return centres - 0.5 if count > 1 else np.zeros(1)
        case "align_corners":
            return x * last / (count - 1) if count > 1 else np.zeros(count)
        case "asymmetric":
            return x / axis.scale
        case "tf_half_pixel_for_nn":
            return centres
        case "tf_crop_and_resize":
            if count > 1:
                return axis.start * last + x * (axis.end - axis.start) * last / (count - 1)
            return np.full(count, 0.5 * (axis.start + axis.end) * last)
    raise ValueError(f"coordinate_transformation_mode {mode!r} is unknown")


def _nearest(x: Array, mode: str) -> Array:
    """Whole positions. Scales are float32: a tie is what is one in that precision."""
    narrow = x.astype(np.float32)
    match mode:
        case "round_prefer_floor":
            whole = np.ceil(narrow - np.float32(0.5))
        case "round_prefer_ceil":
            whole = np.floor(narrow + np.float32(0.5))
        case "floor":
            whole = np.floor(narrow)
        case "ceil":
            whole = np.ceil(narrow)
        case _:
            raise ValueError(f"nearest_mode {mode!r} is unknown")
    return np.asarray(whole)


def triangle(distance: Array) -> Array:
    """1 - |distance| where that is positive: linear interpolation."""
    return np.asarray(np.maximum(1 - np.abs(distance), 0))


def cubic(distance: Array, a: float) -> Array:
    """Cubic convolution (Keys 1981)."""
    t = np.abs(distance)
    near = ((a + 2) * t - (a + 3)) * t * t + 1
    far = ((a * t - 5 * a) * t + 8 * a) * t - 4 * a
    return np.where(t <= 1, near, np.where(t < 2, far, 0))


def axis_taps(axis: AxisResize, sampling: Sampling) -> Taps:
    """Positions and weights for every output position along ``axis``.

    ``outside`` marks positions that tf_crop_and_resize replaces by the extrapolation value.
    """
    x = original_coordinates(axis, sampling.coordinates)
    outside = np.zeros(axis.output, np.bool_)
    if sampling.coordinates == "tf_crop_and_resize":
        outside = (x < 0) | (x > axis.extent - 1)
    if sampling.mode == "nearest":
        indices = _nearest(x, sampling.nearest_mode)[:, None]
        weights = np.ones_like(indices)
    else:
        indices, weights = _kernel_taps(x, axis, sampling)
    if sampling.exclude_outside:
        weights = np.where((indices >= 0) & (indices < axis.extent), weights, 0)
        weights = weights / weights.sum(axis=1, keepdims=True)
    clamped = np.clip(indices, 0, axis.extent - 1).astype(np.int64)
    return Taps(clamped, weights, outside)


def _kernel_taps(x: Array, axis: AxisResize, sampling: Sampling) -> tuple[Array, Array]:
    # Antialiasing widens the kernel when the image shrinks.
    squeeze = min(axis.scale, 1.0) if sampling.antialias else 1.0
    radius = (1 if sampling.mode == "linear" else 2) / squeeze
    first = np.floor(x - radius) + 1
    indices = first[:, None] + np.arange(int(np.ceil(2 * radius)))
    distance = (indices - x[:, None]) * squeeze
    if sampling.mode == "linear":
        weights = triangle(distance)
    elif sampling.mode == "cubic":
        weights = cubic(distance, sampling.cubic_coeff_a)
    else:
        raise ValueError(f"mode {sampling.mode!r} is unknown")
    return indices, weights / weights.sum(axis=1, keepdims=True)


def resample(x: Array, axis: int, taps: Taps) -> Array:
    """Apply ``taps`` along one axis of ``x``."""
    shape = [1] * x.ndim
    shape[axis] = -1
    result: Array | None = None
    for indices, weights in zip(taps.indices.T, taps.weights.T, strict=True):
        term = x.take(indices, axis=axis) * weights.astype(x.dtype).reshape(shape)
        result = term if result is None else result + term
    assert result is not None
    return result


def resize(x: Array, axes: Mapping[int, AxisResize], sampling: Sampling) -> Array:
    """``x`` with one axis after the other resampled, in its dtype."""
    for axis, geometry in axes.items():
        positions = original_coordinates(geometry, sampling.coordinates)
        if np.array_equal(positions, np.arange(geometry.extent)):
            continue
        taps = axis_taps(geometry, sampling)
        nearest = sampling.mode == "nearest"
        x = x.take(taps.indices[:, 0], axis=axis) if nearest else resample(x, axis, taps)
    return x


def outside(shape: tuple[int, ...], axes: Mapping[int, AxisResize], sampling: Sampling) -> Array:
    """Which elements of the result, of that shape, the extrapolation value replaces."""
    mask = np.zeros(shape, np.bool_)
    for axis, geometry in axes.items():
        along = axis_taps(geometry, sampling).outside
        mask |= along.reshape([-1 if i == axis else 1 for i in range(len(shape))])
    return mask
