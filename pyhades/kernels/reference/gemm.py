"""Matrix products in NumPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pyhades.kernels.arguments import Array
from pyhades.kernels.epilogue import Activation, parse_activation
from pyhades.numerics.epilogue import finish
from pyhades.numerics.matrix import product


def gemm(
    a: ArrayLike,
    b: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    activation: Activation | None = None,
    residual: ArrayLike | None = None,
) -> Array:
    """:func:`pyhades.kernels.gemm` in the dtype of its arguments."""
    return matmul(a, b, bias, activation=activation, residual=residual)


def matmul(
    a: ArrayLike,
    b: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    activation: Activation | None = None,
    residual: ArrayLike | None = None,
    alpha: float = 1.0,
) -> Array:
    """:func:`pyhades.kernels.matmul` in the dtype of its arguments."""
    vector = None if bias is None else np.asarray(bias)
    added = None if residual is None else np.asarray(residual)
    y = product(np.asarray(a), np.asarray(b), alpha, vector)
    return finish(y, parse_activation(activation), added)
