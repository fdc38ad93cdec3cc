"""Deformable convolution, in NumPy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from pyhades.kernels.arguments import Array
from pyhades.kernels.epilogue import Activation, parse_activation
from pyhades.numerics.deform import deform_convolve
from pyhades.numerics.epilogue import finish
from pyhades.numerics.window import Window


def deform_conv2d(
    x: ArrayLike,
    w: ArrayLike,
    offset: ArrayLike,
    bias: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    strides: Sequence[int] = (1, 1),
    pads: Sequence[int] = (0, 0, 0, 0),
    dilations: Sequence[int] = (1, 1),
    groups: int = 1,
    offset_groups: int = 1,
    *,
    activation: Activation | None = None,
) -> Array:
    """See :func:`pyhades.kernels.deform_conv2d`; computed in float64."""
    kernel = np.asarray(w).shape[2:]
    window = Window(kernel, tuple(strides), tuple(dilations), tuple(pads[:2]), tuple(pads[2:]))
    factors = None if mask is None else _wide(mask)
    vector = None if bias is None else _wide(bias)
    fields = (_wide(offset), vector, factors)
    y = deform_convolve(_wide(x), _wide(w), *fields, window, groups, offset_groups)
    return finish(y, parse_activation(activation), None)


def _wide(array: ArrayLike) -> Array:
    return np.asarray(array).astype(np.float64)
