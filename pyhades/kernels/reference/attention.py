"""Scaled dot-product attention in NumPy."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from pyhades.kernels.arguments import Array


def attention(
    q: ArrayLike,
    k: ArrayLike,
    v: ArrayLike,
    scale: float | None = None,
    causal: bool = False,
    window: int | None = None,
    sinks: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    kv_lengths: ArrayLike | None = None,
    *,
    mask: ArrayLike | None = None,
) -> Array:
    """:func:`pyhades.kernels.attention` in the dtype of its arguments."""
    q, k, v = np.asarray(q), np.asarray(k), np.asarray(v)
    group = q.shape[1] // k.shape[1]
    k, v = np.repeat(k, group, axis=1), np.repeat(v, group, axis=1)
    scores = q @ k.swapaxes(-1, -2) * (1 / math.sqrt(q.shape[-1]) if scale is None else scale)
    for addend in (bias, mask):
        if addend is not None:
            scores = scores + np.asarray(addend)
    scores = np.where(_visible(scores.shape, causal, window, kv_lengths), scores, -np.inf)
    if sinks is not None:
        column = np.asarray(sinks, scores.dtype).reshape(1, -1, 1, 1)
        column = np.broadcast_to(column, (*scores.shape[:3], 1))
        scores = np.concatenate([scores, column], axis=-1)
    largest = scores.max(axis=-1, keepdims=True, initial=-np.inf)
    weights = np.exp(scores - np.where(np.isneginf(largest), 0, largest))
    total = weights.sum(axis=-1, keepdims=True)
    weights = weights / np.where(total == 0, 1, total)
    return np.asarray(weights[..., : k.shape[2]] @ v)


def _visible(
    shape: tuple[int, ...], causal: bool, window: int | None, kv_lengths: ArrayLike | None
) -> Array:
    """Which keys each query sees, [b, 1, m, n]."""
    batch, _, m, n = shape
    lengths = np.full(batch, n) if kv_lengths is None else np.asarray(kv_lengths)
    length = lengths.reshape(-1, 1, 1, 1)
    position = length - m + np.arange(m).reshape(1, 1, -1, 1)
    key = np.arange(n).reshape(1, 1, 1, -1)
    visible = key < length
    if causal:
        visible = visible & (key <= position)
    if window is not None:
        visible = visible & (np.abs(key - position) < window)
    return np.asarray(visible)
