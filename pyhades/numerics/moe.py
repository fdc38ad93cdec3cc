"""Mixtures of experts."""

from __future__ import annotations

import numpy as np

from pyhades.numerics.activations import sigmoid, silu
from pyhades.numerics.array import Array
from pyhades.numerics.reduction import top_k


def route(logits: Array, k: int) -> tuple[Array, Array]:
    """The k largest of each row, ties to the lower, and the softmax over those; never NaN."""
    rows = np.where(np.isnan(logits), -np.inf, logits)
    experts = top_k(rows, k, axis=1)
    chosen = np.take_along_axis(rows, experts, axis=1)
    shares = np.exp(chosen - chosen[:, :1])
    return experts, shares / shares.sum(1, keepdims=True)


def swiglu(h: Array) -> Array:
    """``up * gate * sigmoid(gate)``; gates and ups alternate."""
    return h[..., 1::2] * silu(h[..., ::2])


def clamped_swiglu(h: Array, alpha: float, limit: float) -> Array:
    """``(up + 1) * gate * sigmoid(alpha * gate)`` within ``limit``; gates and ups alternate."""
    gate, up = np.minimum(h[..., ::2], limit), np.clip(h[..., 1::2], -limit, limit)
    return (up + 1) * gate * sigmoid(alpha * gate)
