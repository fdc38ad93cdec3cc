"""Activations: what follows a matrix product or a convolution.

Where a gate is 0 at minus infinity, so is the product: no NaN comes of 0 times infinity.
"""

from __future__ import annotations

import math

import numpy as np

from pyhades.numerics.array import Array
from pyhades.numerics.elementary import erfc

Number = float | Array
"""A parameter: a number, or an array that broadcasts."""


def relu(x: Array) -> Array:
    """max(x, 0)."""
    return np.asarray(np.maximum(x, x.dtype.type(0)))


def leaky_relu(x: Array, alpha: Number) -> Array:
    """``x``, times alpha below zero."""
    return np.where(x < 0, x * alpha, x)


def thresholded_relu(x: Array, alpha: Number) -> Array:
    """``x`` above alpha, else 0."""
    return np.where(x > alpha, x, x.dtype.type(0))


def clip(x: Array, lower: Number, upper: Number) -> Array:
    """min(max(x, lower), upper)."""
    return np.asarray(np.minimum(np.maximum(x, lower), upper))


def shrink(x: Array, bound: Number, bias: Number) -> Array:
    """``x + bias`` below -bound, ``x - bias`` above bound, else 0."""
    inner = np.where(x > bound, x - bias, x.dtype.type(0))
    return np.where(x < -bound, x + bias, inner)


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), without overflow for either sign."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small)).astype(x.dtype, copy=False)


def hard_sigmoid(x: Array, alpha: Number, beta: Number) -> Array:
    """``alpha * x + beta``, clipped to [0, 1]."""
    return np.asarray(np.clip(x * alpha + beta, 0, 1))


def gated(x: Array, gate: Array) -> Array:
    """X * gate, for gates that are 0 at minus infinity."""
    return np.where(x == -np.inf, x.dtype.type(0), x * gate)


def silu(x: Array) -> Array:
    """X * sigmoid(x), also called swish (Elfwing et al. 2017)."""
    return gated(x, sigmoid(x))


def swish(x: Array, alpha: Number) -> Array:
    """X * sigmoid(alpha * x) (Ramachandran et al. 2017)."""
    return gated(x, sigmoid(x * alpha))


def hard_swish(x: Array) -> Array:
    """X * clip((x + 3) / 6, 0, 1) (Howard et al. 2019)."""
    return gated(x, np.clip((x + 3) / 6, 0, 1))


def gelu_erf(x: Array) -> Array:
    """X * (1 + erf(x / sqrt(2))) / 2, by erfc, which does not cancel (Hendrycks, Gimpel 2016)."""
    return gated(x, erfc(x * -math.sqrt(0.5)) / 2)


def gelu_tanh(x: Array) -> Array:
    """X * (1 + tanh(u)) / 2 = x * sigmoid(2 u) with u = sqrt(2 / pi) * (x + 0.044715 x^3)."""
    return gated(x, sigmoid(math.sqrt(8 / math.pi) * x * (1 + 0.044715 * x * x)))


def softplus(x: Array) -> Array:
    """log(1 + exp(x))."""
    return np.asarray(np.logaddexp(x, x.dtype.type(0)))


def softsign(x: Array) -> Array:
    """X / (1 + |x|)."""
    return np.where(np.isinf(x), np.sign(x), x / (1 + np.abs(x)))


def mish(x: Array) -> Array:
    """X * tanh(softplus(x)) (Misra 2019)."""
    return gated(x, np.tanh(softplus(x)))


def elu(x: Array, alpha: Number) -> Array:
    """``x``, or alpha * (exp(x) - 1) below zero (Clevert et al. 2015)."""
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, x.dtype.type(0))))


def selu(x: Array, alpha: Number, gamma: Number) -> Array:
    """``gamma * elu(x, alpha)`` (Klambauer et al. 2017)."""
    return np.asarray(gamma * elu(x, alpha))


def celu(x: Array, alpha: Number) -> Array:
    """max(x, 0) + min(0, alpha * (exp(x / alpha) - 1)) (Barron 2017)."""
    zero = x.dtype.type(0)
    below = alpha * np.expm1(np.minimum(x, zero) / alpha)
    return np.asarray(np.maximum(x, zero) + np.minimum(zero, below))
