"""Matrix products in NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from pyhades.kernels.arguments import Array

_erf = np.vectorize(math.erf, otypes=[np.float64])

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "none": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "hard_swish": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "gelu_erf": lambda x: x * 0.5 * (1 + _erf(x / math.sqrt(2))).astype(x.dtype),
    "gelu_tanh": lambda x: x * 0.5 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    "tanh": np.tanh,
}


def gemm(
    a: ArrayLike,
    b: ArrayLike,
    bias: ArrayLike | None = None,
    activation: str | None = None,
    *,
    residual: ArrayLike | None = None,
) -> Array:
    """:func:`pyhades.kernels.gemm` in the dtype of its arguments."""
    return matmul(a, b, bias, activation, residual=residual)


def matmul(
    a: ArrayLike,
    b: ArrayLike,
    bias: ArrayLike | None = None,
    activation: str | None = None,
    *,
    alpha: float = 1.0,
    residual: ArrayLike | None = None,
) -> Array:
    """:func:`pyhades.kernels.matmul` in the dtype of its arguments."""
    product = np.asarray(a) @ np.asarray(b) * alpha
    if bias is not None:
        product = product + np.asarray(bias)
    product = ACTIVATIONS[activation or "none"](product)
    result = product if residual is None else product + np.asarray(residual)
    return np.asarray(result)
