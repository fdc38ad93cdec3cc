"""Normalisation, in NumPy; computed in float64 and rounded once."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from pyhades.kernels.arguments import Array


def _affine(h: Array, weight: ArrayLike | None, bias: ArrayLike | None) -> Array:
    if weight is not None:
        h = h * np.asarray(weight, np.float64)
    if bias is not None:
        h = h + np.asarray(bias, np.float64)
    return h


def _sum(x: ArrayLike, residual: ArrayLike | None) -> Array:
    h = np.asarray(x, np.float64)
    return h if residual is None else h + np.asarray(residual, np.float64)


def rms_norm(
    x: ArrayLike,
    weight: ArrayLike | None = None,
    eps: float = 1e-5,
    residual: ArrayLike | None = None,
) -> Array:
    """See :func:`pyhades.kernels.rms_norm`."""
    h = _sum(x, residual)
    h = h / np.sqrt((h**2).mean(-1, keepdims=True) + eps)
    return _affine(h, weight, None).astype(np.float32)


def layer_norm(
    x: ArrayLike,
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    eps: float = 1e-5,
    residual: ArrayLike | None = None,
) -> Array:
    """See :func:`pyhades.kernels.layer_norm`."""
    h = _sum(x, residual)
    h = (h - h.mean(-1, keepdims=True)) / np.sqrt(h.var(-1, keepdims=True) + eps)
    return _affine(h, weight, bias).astype(np.float32)


def group_norm(
    x: ArrayLike,
    groups: int,
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    eps: float = 1e-5,
) -> Array:
    """See :func:`pyhades.kernels.group_norm`."""
    h = np.asarray(x, np.float64)
    n, c = h.shape[:2]
    pixels = math.prod(h.shape[2:])
    grouped = h.reshape(n, groups, c // groups * pixels)
    centred = grouped - grouped.mean(-1, keepdims=True)
    normal = centred / np.sqrt(grouped.var(-1, keepdims=True) + eps)
    rows = np.moveaxis(normal.reshape(n, c, pixels), 1, -1)
    return np.moveaxis(_affine(rows, weight, bias), -1, 1).reshape(h.shape).astype(np.float32)


def batch_norm(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike,
    mean: ArrayLike,
    variance: ArrayLike,
    eps: float = 1e-5,
) -> Array:
    """See :func:`pyhades.kernels.batch_norm`."""
    rows = np.moveaxis(np.asarray(x, np.float64), 1, -1)
    scaled = (rows - np.asarray(mean, np.float64)) / np.sqrt(np.asarray(variance, np.float64) + eps)
    return np.moveaxis(_affine(scaled, weight, bias), -1, 1).astype(np.float32)
