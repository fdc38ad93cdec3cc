"""Scaled dot-product attention in NumPy."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from pyhades.kernels.arguments import Array
from pyhades.numerics import attention as specification


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
    (batch, _, m, d), n = q.shape, k.shape[2]
    lengths = np.full(batch, n) if kv_lengths is None else np.asarray(kv_lengths)
    return specification.attention(
        q,
        k,
        v,
        1 / math.sqrt(d) if scale is None else scale,
        [np.asarray(term) for term in (bias, mask) if term is not None],
        specification.visible_keys(m, lengths, n, causal, window),
        None if sinks is None else np.asarray(sinks),
    )
