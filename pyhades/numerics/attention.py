"""Scaled dot-product attention (Vaswani et al. 2017)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from pyhades.numerics.array import Array
from pyhades.numerics.normalization import softmax


def attention(
    q: Array,
    k: Array,
    v: Array,
    scale: float,
    terms: Iterable[Array] = (),
    visible: Array | None = None,
    sinks: Array | None = None,
) -> Array:
    """``softmax(scale * q @ k^T + terms) @ v`` over [..., tokens, d].

    Parameters
    ----------
    terms
        Biases and masks, which broadcast to the scores.
    visible
        Which keys each query sees; a query that sees none gives zeros.
    sinks
        A score per head that takes its share of the weights and has no value (Xiao et al. 2023).
    """
    scores = q @ k.swapaxes(-1, -2) * np.asarray(scale, q.dtype)
    for term in terms:
        scores = scores + term
    if visible is not None:
        scores = np.where(visible, scores, scores.dtype.type(-np.inf))
    if sinks is not None:
        column = np.broadcast_to(sinks.reshape(-1, 1, 1), (*scores.shape[:-1], 1))
        scores = np.concatenate([scores, column.astype(scores.dtype)], axis=-1)
    return np.asarray(softmax(scores, -1)[..., : k.shape[-2]] @ v)


def visible_keys(m: int, lengths: Array, n: int, causal: bool, window: int | None) -> Array:
    """Which of n keys each of m queries sees, [b, 1, m, n].

    The queries are the last m of ``lengths`` [b] tokens. ``causal`` hides what comes later,
    ``window`` what is that many tokens away.
    """
    length = lengths.reshape(-1, 1, 1, 1)
    position = length - m + np.arange(m).reshape(1, 1, -1, 1)
    key = np.arange(n).reshape(1, 1, 1, -1)
    visible = key < length
    if causal:
        visible = visible & (key <= position)
    if window is not None:
        visible = visible & (np.abs(key - position) < window)
    return np.asarray(visible)
