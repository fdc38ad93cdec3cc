"""Normalisation, in NumPy; computed in float64 and rounded once."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pyhades.kernels.arguments import Array
from pyhades.numerics.normalization import (
    affine,
    by_statistics,
    per_channel,
    rms_normalize,
    standardize,
    standardize_groups,
)


def _wide(x: ArrayLike) -> Array:
    return np.asarray(x, np.float64)


def _optional(x: ArrayLike | None) -> Array | None:
    return None if x is None else _wide(x)


def _sum(x: ArrayLike, residual: ArrayLike | None) -> Array:
    return _wide(x) if residual is None else _wide(x) + _wide(residual)


def rms_norm(
    x: ArrayLike,
    weight: ArrayLike | None = None,
    eps: float = 1e-5,
    *,
    residual: ArrayLike | None = None,
) -> Array:
    """See :func:`pyhades.kernels.rms_norm`."""
    y = rms_normalize(_sum(x, residual), (-1,), eps)
    return affine(y, _optional(weight), None).astype(np.float32)


def layer_norm(
    x: ArrayLike,
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    eps: float = 1e-5,
    *,
    residual: ArrayLike | None = None,
) -> Array:
    """See :func:`pyhades.kernels.layer_norm`."""
    y, _, _ = standardize(_sum(x, residual), (-1,), eps)
    return affine(y, _optional(weight), _optional(bias)).astype(np.float32)


def group_norm(
    x: ArrayLike,
    groups: int,
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    eps: float = 1e-5,
) -> Array:
    """See :func:`pyhades.kernels.group_norm`."""
    y = standardize_groups(_wide(x), groups, eps)
    scale, shift = (None if v is None else per_channel(_wide(v), y.ndim) for v in (weight, bias))
    return affine(y, scale, shift).astype(np.float32)


def batch_norm(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike,
    mean: ArrayLike,
    variance: ArrayLike,
    eps: float = 1e-5,
) -> Array:
    """See :func:`pyhades.kernels.batch_norm`."""
    scale, shift, centre, square = (_wide(v) for v in (weight, bias, mean, variance))
    return by_statistics(_wide(x), scale, shift, centre, square, eps).astype(np.float32)
