"""Normalisation and softmax."""

from __future__ import annotations

import math

import numpy as np

from pyhades.numerics.array import Array
from pyhades.numerics.window import Window, windows

Axes = tuple[int, ...]


def per_channel(vector: Array, rank: int) -> Array:
    """A vector over the channels, as it multiplies [n, c, *spatial]."""
    return vector.reshape(-1, *[1] * (rank - 2))


def affine(x: Array, scale: Array | None, shift: Array | None) -> Array:
    """``x * scale + shift``, of which either may be left out."""
    x = x if scale is None else x * scale
    return x if shift is None else x + shift


def standardize(x: Array, axes: Axes, epsilon: float) -> tuple[Array, Array, Array]:
    """(x - mean) / sqrt(variance + epsilon) over ``axes``, with mean and 1 / deviation."""
    mean = x.mean(axis=axes, keepdims=True)
    centred = x - mean
    variance = (centred * centred).mean(axis=axes, keepdims=True)
    inverse = 1 / np.sqrt(variance + np.asarray(epsilon, x.dtype))
    return centred * inverse, mean, inverse


def standardize_groups(x: Array, groups: int, epsilon: float) -> Array:
    """:func:`standardize` over groups of channels of x [n, c, *spatial] (Wu and He 2018)."""
    size = math.prod(x.shape[1:]) // groups
    return standardize(x.reshape(x.shape[0], groups, size), (2,), epsilon)[0].reshape(x.shape)


def by_statistics(
    x: Array, scale: Array, bias: Array, mean: Array, variance: Array, epsilon: float
) -> Array:
    """(x - mean) / sqrt(variance + epsilon) * scale + bias, vectors per channel of [n, c, ...].

    Batch normalisation at inference (Ioffe and Szegedy 2015).
    """
    rank = max(x.ndim, 2)
    inverse = scale / np.sqrt(variance + np.asarray(epsilon, variance.dtype))
    return (x - per_channel(mean, rank)) * per_channel(inverse, rank) + per_channel(bias, rank)


def rms_normalize(x: Array, axes: Axes, epsilon: float) -> Array:
    """X / sqrt(mean(x * x) + epsilon) over ``axes`` (Zhang and Sennrich 2019)."""
    square = (x * x).mean(axis=axes, keepdims=True)
    return np.asarray(x / np.sqrt(square + np.asarray(epsilon, x.dtype)))


def lp_normalize(x: Array, axis: int, p: int) -> Array:
    """X divided by its L1 or L2 norm along ``axis``; zero where the norm is zero."""
    norm = np.linalg.norm(x, ord=p, axis=axis, keepdims=True)
    return np.asarray(np.divide(x, norm, out=np.zeros_like(x), where=norm != 0))


def softmax(x: Array, axis: int) -> Array:
    """exp(x) / sum(exp(x)) along ``axis``; zeros where all is minus infinity."""
    shifted, total = _shifted(x, axis)
    return np.asarray(np.exp(shifted) / total)


def log_softmax(x: Array, axis: int) -> Array:
    """Logarithm of :func:`softmax`."""
    shifted, total = _shifted(x, axis)
    return np.asarray(shifted - np.log(total))


def _shifted(x: Array, axis: int) -> tuple[Array, Array]:
    """X minus its peak, against overflow, and the sum of the exponentials; 1 for -inf only."""
    peak = x.max(axis=axis, keepdims=True, initial=-np.inf)
    shifted = x - np.where(np.isinf(peak), 0, peak).astype(x.dtype)
    total = np.exp(shifted).sum(axis=axis, keepdims=True)
    return shifted, np.where(total > 0, total, x.dtype.type(1))


def local_response(x: Array, size: int, alpha: float, beta: float, bias: float) -> Array:
    """X [n, c, ...] divided by a power of the mean square of ``size`` channels around each."""
    window = Window((size,), (1,), (1,), ((size - 1) // 2,), (size // 2,))
    columns = np.moveaxis(x * x, 1, -1)
    lines = columns.reshape(1, -1, columns.shape[-1])
    squares = windows(lines, window, lines.shape[2:], 0).sum(axis=-1)
    near = np.moveaxis(squares.reshape(columns.shape), -1, 1)
    return np.asarray(x / (bias + alpha / size * near) ** beta, x.dtype)
