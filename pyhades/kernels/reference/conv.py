"""Two-dimensional convolution in NumPy: one matrix product per tap."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from pyhades.kernels.arguments import Array
from pyhades.kernels.reference.gemm import ACTIVATIONS


def conv2d(
    x: ArrayLike,
    w: ArrayLike,
    bias: ArrayLike | None = None,
    strides: Sequence[int] = (1, 1),
    pads: Sequence[int] = (0, 0, 0, 0),
    dilations: Sequence[int] = (1, 1),
    groups: int = 1,
    activation: str | None = None,
    layout: str = "NCHW",
    *,
    residual: ArrayLike | None = None,
) -> Array:
    """See :func:`pyhades.kernels.conv2d`; computed in the dtype of ``x``."""
    x, w = np.asarray(x), np.asarray(w)
    is_planar = layout == "NCHW"
    y = _convolve(x if is_planar else x.transpose(0, 3, 1, 2), w, strides, pads, dilations, groups)
    if bias is not None:
        y = y + np.asarray(bias).reshape(-1, 1, 1)
    y = ACTIVATIONS[activation or "none"](y)
    y = y if is_planar else np.ascontiguousarray(y.transpose(0, 2, 3, 1))
    return y if residual is None else y + np.asarray(residual)


def _convolve(
    x: Array,
    w: Array,
    strides: Sequence[int],
    pads: Sequence[int],
    dilations: Sequence[int],
    groups: int,
) -> Array:
    top, left, bottom, right = pads
    padded = np.pad(x, [(0, 0), (0, 0), (top, bottom), (left, right)])
    kernel_h, kernel_w = w.shape[2:]
    span_h, span_w = (kernel_h - 1) * dilations[0] + 1, (kernel_w - 1) * dilations[1] + 1
    height = (padded.shape[2] - span_h) // strides[0] + 1
    width = (padded.shape[3] - span_w) // strides[1] + 1
    grouped = w.reshape(groups, w.shape[0] // groups, *w.shape[1:])
    result = np.zeros((x.shape[0], *grouped.shape[:2], height, width), x.dtype)
    for row in range(kernel_h):
        for column in range(kernel_w):
            rows = slice(row * dilations[0], None, strides[0])
            columns = slice(column * dilations[1], None, strides[1])
            seen = padded[:, :, rows, columns][:, :, :height, :width]
            seen = seen.reshape(x.shape[0], groups, w.shape[1], height, width)
            result += np.einsum("ngihw,goi->ngohw", seen, grouped[..., row, column], optimize=True)
    return result.reshape(x.shape[0], w.shape[0], height, width)
