"""Element-wise functions, in NumPy; computed in float64 and rounded once."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from pyhades.kernels.arguments import Array

_erf = np.vectorize(math.erf, otypes=[np.float64])


def _wide(x: ArrayLike) -> Array:
    return np.asarray(x, np.float64)


def _narrow(x: Any) -> Array:
    return np.asarray(x, np.float32)


def relu(x: ArrayLike) -> Array:
    """See :func:`pyhades.kernels.relu`."""
    return _narrow(np.maximum(_wide(x), 0))


def leaky_relu(x: ArrayLike, alpha: float = 0.01) -> Array:
    """See :func:`pyhades.kernels.leaky_relu`."""
    wide = _wide(x)
    return _narrow(np.where(wide > 0, wide, np.float32(alpha) * wide))


def sigmoid(x: ArrayLike) -> Array:
    """See :func:`pyhades.kernels.sigmoid`."""
    return _narrow(0.5 * (1 + np.tanh(_wide(x) / 2)))


def hard_sigmoid(x: ArrayLike, alpha: float = 0.2, beta: float = 0.5) -> Array:
    """See :func:`pyhades.kernels.hard_sigmoid`."""
    return _narrow(np.clip(np.float32(alpha) * _wide(x) + np.float32(beta), 0, 1))


def silu(x: ArrayLike) -> Array:
    """See :func:`pyhades.kernels.silu`."""
    return _narrow(_wide(x) * 0.5 * (1 + np.tanh(_wide(x) / 2)))


def gelu(x: ArrayLike, approximate: str = "none") -> Array:
    """See :func:`pyhades.kernels.gelu`."""
    wide = _wide(x)
    if approximate == "tanh":
        inner = math.sqrt(2 / math.pi) * (wide + 0.044715 * wide**3)
        return _narrow(0.5 * wide * (1 + np.tanh(inner)))
    return _narrow(0.5 * wide * (1 + _erf(wide / math.sqrt(2))))


def hard_swish(x: ArrayLike) -> Array:
    """See :func:`pyhades.kernels.hard_swish`."""
    return _narrow(_wide(x) * np.clip(_wide(x) / 6 + 0.5, 0, 1))


def mish(x: ArrayLike) -> Array:
    """See :func:`pyhades.kernels.mish`."""
    return _narrow(_wide(x) * np.tanh(np.logaddexp(0, _wide(x))))


def softplus(x: ArrayLike) -> Array:
    """See :func:`pyhades.kernels.softplus`."""
    return _narrow(np.logaddexp(0, _wide(x)))


def tanh(x: ArrayLike) -> Array:
    """See :func:`pyhades.kernels.tanh`."""
    return _narrow(np.tanh(_wide(x)))


def erf(x: ArrayLike) -> Array:
    """See :func:`pyhades.kernels.erf`."""
    return _narrow(_erf(_wide(x)))


def exp(x: ArrayLike) -> Array:
    """See :func:`pyhades.kernels.exp`."""
    return _narrow(np.exp(_wide(x)))


def log(x: ArrayLike) -> Array:
    """See :func:`pyhades.kernels.log`."""
    return _narrow(np.log(_wide(x)))


def sqrt(x: ArrayLike) -> Array:
    """See :func:`pyhades.kernels.sqrt`."""
    return _narrow(np.sqrt(_wide(x)))


def clip(x: ArrayLike, lower: float, upper: float) -> Array:
    """See :func:`pyhades.kernels.clip`."""
    return _narrow(np.clip(_wide(x), np.float32(lower), np.float32(upper)))


def add(a: ArrayLike, b: ArrayLike) -> Array:
    """See :func:`pyhades.kernels.add`."""
    return _narrow(_wide(a) + _wide(b))


def subtract(a: ArrayLike, b: ArrayLike) -> Array:
    """See :func:`pyhades.kernels.subtract`."""
    return _narrow(_wide(a) - _wide(b))


def multiply(a: ArrayLike, b: ArrayLike) -> Array:
    """See :func:`pyhades.kernels.multiply`."""
    return _narrow(_wide(a) * _wide(b))


def divide(a: ArrayLike, b: ArrayLike) -> Array:
    """See :func:`pyhades.kernels.divide`."""
    return _narrow(_wide(a) / _wide(b))


def minimum(a: ArrayLike, b: ArrayLike) -> Array:
    """See :func:`pyhades.kernels.minimum`."""
    return _narrow(np.minimum(_wide(a), _wide(b)))


def maximum(a: ArrayLike, b: ArrayLike) -> Array:
    """See :func:`pyhades.kernels.maximum`."""
    return _narrow(np.maximum(_wide(a), _wide(b)))


def power(a: ArrayLike, b: ArrayLike) -> Array:
    """See :func:`pyhades.kernels.power`."""
    with np.errstate(invalid="ignore"):
        return _narrow(np.power(_wide(a), _wide(b)))
