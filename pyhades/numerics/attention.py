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


def repeat_heads(x: Array, heads: int) -> Array:
    """Repeat every head of x [b, h, tokens, d] in place, so that there are ``heads``."""
    return x if x.shape[1] == heads else np.repeat(x, heads // x.shape[1], axis=1)


def split_heads(x: Array, heads: int) -> Array:
    """[b, tokens, heads * d] as [b, heads, tokens, d]."""
    b, tokens, width = x.shape
    return x.reshape(b, tokens, heads, width // heads).transpose(0, 2, 1, 3)


def merge_heads(x: Array) -> Array:
    """[b, heads, tokens, d] as [b, tokens, heads * d]."""
    b, heads, tokens, d = x.shape
    return x.transpose(0, 2, 1, 3).reshape(b, tokens, heads * d)


def score_stages(
    q: Array, k: Array, scale: float, softcap: float, bias: Array | None, visible: Array
) -> tuple[Array, Array, Array, Array]:
    """Scores, then capped, biased (minus infinity where hidden), and normalised to weights.

    Soft capping is ``softcap * tanh(scores / softcap)``; 0 leaves it out. A query that sees no key
    has weights of zero.
    """
    raw = q @ k.swapaxes(-1, -2) * np.asarray(scale, q.dtype)
    capped = raw if softcap == 0 else np.tanh(raw / q.dtype.type(softcap)) * q.dtype.type(softcap)
    biased = capped if bias is None else capped + bias
    hidden = ~visible if bias is None else ~visible | np.isneginf(bias)
    biased = np.where(hidden, q.dtype.type(-np.inf), biased)
    return raw, capped, biased, softmax(biased, -1)


def visible_band(
    m: int, n: int, offset: Array, left: int | None = None, right: int | None = None
) -> Array:
    """Which of n keys each of m queries sees, [b, 1, m, n].

    Query i stands at ``offset + i``; it sees ``left`` keys before that and ``right`` after it, None
    being all.
    """
    position = offset.reshape(-1, 1, 1, 1) + np.arange(m).reshape(1, 1, -1, 1)
    key = np.arange(n).reshape(1, 1, 1, -1)
    visible = np.ones(np.broadcast_shapes(position.shape, key.shape), np.bool_)
    if left is not None:
        visible &= key >= position - left
    if right is not None:
        visible &= key <= position + right
    return visible


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
