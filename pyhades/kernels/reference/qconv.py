"""Convolutions and matrix products of uint8 with int8, in NumPy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from pyhades.kernels.arguments import Array
from pyhades.kernels.conv import Layout
from pyhades.kernels.epilogue import Activation, parse_activation
from pyhades.kernels.requantize import GridDtype
from pyhades.numerics.integers import Grid, Via, convolved, finished, multiplied
from pyhades.numerics.window import Window


def qconv2d(
    x: ArrayLike,
    w: ArrayLike,
    factor: ArrayLike,
    bias: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    strides: Sequence[int] = (1, 1),
    pads: Sequence[int] = (0, 0, 0, 0),
    dilations: Sequence[int] = (1, 1),
    groups: int = 1,
    *,
    x_zero: int = 0,
    y_zero: int = 0,
    y_scale: float = 1.0,
    dtype: GridDtype = "uint8",
    activation: Activation | None = None,
    via: tuple[float, float, int] | None = None,
    residual: ArrayLike | None = None,
    residual_zero: int = 0,
    residual_scale: float = 1.0,
    after: Activation | None = None,
    layout: Layout = "NCHW",
) -> Array:
    """See :func:`pyhades.kernels.qconv2d`."""
    x, w = np.asarray(x), np.asarray(w)
    is_planar = layout == "NCHW"
    window = Window(w.shape[2:], tuple(strides), tuple(dilations), tuple(pads[:2]), tuple(pads[2:]))
    images = x if is_planar else x.transpose(0, 3, 1, 2)
    sums = convolved(images, x_zero, w, _array(bias), window, groups)
    sums = np.ascontiguousarray(sums.transpose(0, 2, 3, 1))
    added = _array(residual)
    y = finished(
        sums,
        np.asarray(factor),
        _array(offset),
        parse_activation(activation),
        added.transpose(0, 2, 3, 1) if added is not None and is_planar else added,
        Grid(residual_scale, residual_zero),
        parse_activation(after),
        Grid(y_scale, y_zero) if dtype == "uint8" else None,
        None if via is None else Via(*via),
    )
    return np.ascontiguousarray(y.transpose(0, 3, 1, 2)) if is_planar else y


def qlinear(
    a: ArrayLike,
    b: ArrayLike,
    factor: ArrayLike,
    bias: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    *,
    x_zero: int = 0,
    y_zero: int = 0,
    y_scale: float = 1.0,
    dtype: GridDtype = "uint8",
    activation: Activation | None = None,
    via: tuple[float, float, int] | None = None,
    residual: ArrayLike | None = None,
    residual_zero: int = 0,
    residual_scale: float = 1.0,
    after: Activation | None = None,
) -> Array:
    """See :func:`pyhades.kernels.qlinear`."""
    return finished(
        multiplied(np.asarray(a), x_zero, np.asarray(b), _array(bias)),
        np.asarray(factor),
        _array(offset),
        parse_activation(activation),
        _array(residual),
        Grid(residual_scale, residual_zero),
        parse_activation(after),
        Grid(y_scale, y_zero) if dtype == "uint8" else None,
        None if via is None else Via(*via),
    )


def _array(value: ArrayLike | None) -> Array | None:
    return None if value is None else np.asarray(value)
