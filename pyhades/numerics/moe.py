"""Mixtures of experts."""

from __future__ import annotations

import numpy as np

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
    with np.errstate(over="ignore"):  # where a gate is far below zero, nothing is what is right
        return np.asarray(h[..., 1::2] * h[..., ::2] / (1 + np.exp(-h[..., ::2])))


def clamped_swiglu(h: Array, alpha: float, limit: float) -> Array:
    """``(up + 1) * gate * sigmoid(alpha * gate)`` within ``limit``; gates and ups alternate."""
    gate, up = np.minimum(h[..., ::2], limit), np.clip(h[..., 1::2], -limit, limit)
    return np.asarray((up + 1) * gate / (1 + np.exp(-alpha * gate)))
