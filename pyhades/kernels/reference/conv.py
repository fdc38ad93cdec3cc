"""Two-dimensional convolution in NumPy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from pyhades.kernels.arguments import Array
from pyhades.kernels.conv import Layout
from pyhades.kernels.epilogue import Activation, parse_activation
from pyhades.numerics.convolution import convolve
from pyhades.numerics.epilogue import finish
from pyhades.numerics.window import Window


def conv2d(
    x: ArrayLike,
    w: ArrayLike,
    bias: ArrayLike | None = None,
    strides: Sequence[int] = (1, 1),
    pads: Sequence[int] = (0, 0, 0, 0),
    dilations: Sequence[int] = (1, 1),
    groups: int = 1,
    *,
    activation: Activation | None = None,
    residual: ArrayLike | None = None,
    layout: Layout = "NCHW",
) -> Array:
    """See :func:`pyhades.kernels.conv2d`; computed in the dtype of ``x``."""
    x, w = np.asarray(x), np.asarray(w)
    window = Window(w.shape[2:], tuple(strides), tuple(dilations), tuple(pads[:2]), tuple(pads[2:]))
    is_planar = layout == "NCHW"
    vector = None if bias is None else np.asarray(bias)
    y = convolve(x if is_planar else x.transpose(0, 3, 1, 2), w, vector, window, groups)
    y = y if is_planar else np.ascontiguousarray(y.transpose(0, 2, 3, 1))
    added = None if residual is None else np.asarray(residual)
    return finish(y, parse_activation(activation), added)
