"""Convolutions, matrix products and maxima of bfloat16, in NumPy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from pyhades.kernels.arguments import Array
from pyhades.kernels.bfloat import ResultDtype
from pyhades.kernels.conv import Layout
from pyhades.kernels.epilogue import Activation, parse_activation
from pyhades.kernels.reference.pool import pool_geometry
from pyhades.numerics import bfloat
from pyhades.numerics.window import Window


def narrow_bf16(x: ArrayLike) -> Array:
    """See :func:`pyhades.kernels.narrow_bf16`."""
    return bfloat.narrowed(np.asarray(x))


def conv2d_bf16(
    x: ArrayLike,
    w: ArrayLike,
    bias: ArrayLike | None = None,
    strides: Sequence[int] = (1, 1),
    pads: Sequence[int] = (0, 0, 0, 0),
    dilations: Sequence[int] = (1, 1),
    groups: int = 1,
    *,
    dtype: ResultDtype = "uint16",
    activation: Activation | None = None,
    residual: ArrayLike | None = None,
    after: Activation | None = None,
    layout: Layout = "NCHW",
) -> Array:
    """See :func:`pyhades.kernels.conv2d_bf16`."""
    x, w = np.asarray(x), np.asarray(w)
    window = Window(w.shape[2:], tuple(strides), tuple(dilations), tuple(pads[:2]), tuple(pads[2:]))
    is_planar = layout == "NCHW"
    images = x if is_planar else x.transpose(0, 3, 1, 2)
    y = bfloat.convolved(images, w, _array(bias), window, groups)
    y = y if is_planar else np.ascontiguousarray(y.transpose(0, 2, 3, 1))
    stages = parse_activation(activation), _array(residual), parse_activation(after)
    return bfloat.finished(y, *stages, dtype == "uint16")


def linear_bf16(
    a: ArrayLike,
    b: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    dtype: ResultDtype = "uint16",
    activation: Activation | None = None,
    residual: ArrayLike | None = None,
    after: Activation | None = None,
) -> Array:
    """See :func:`pyhades.kernels.linear_bf16`."""
    y = bfloat.multiplied(np.asarray(a), np.asarray(b), _array(bias))
    stages = parse_activation(activation), _array(residual), parse_activation(after)
    return bfloat.finished(y, *stages, dtype == "uint16")


def max_pool_bf16(
    x: ArrayLike,
    kernel: Sequence[int],
    strides: Sequence[int] | None = None,
    pads: Sequence[int] = (0, 0, 0, 0),
    dilations: Sequence[int] = (1, 1),
    *,
    ceil_mode: bool = False,
) -> Array:
    """See :func:`pyhades.kernels.max_pool_bf16`."""
    x = np.asarray(x)
    window = pool_geometry(x, kernel, strides or kernel, pads, dilations, ceil_mode)
    return bfloat.max_pooled(x, *window)


def _array(value: ArrayLike | None) -> Array | None:
    return None if value is None else np.asarray(value)
