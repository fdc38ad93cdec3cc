"""Matrix products."""

from __future__ import annotations

import numpy as np

from pyhades.numerics.array import Array


def product(a: Array, b: Array, alpha: float = 1.0, bias: Array | None = None) -> Array:
    """``alpha * (a @ b) + bias``, stacked by NumPy's rules, in the dtype of ``a``."""
    y = np.asarray(np.matmul(a, b))
    if alpha != 1.0:
        y = y * np.asarray(alpha).astype(y.dtype)
    return y if bias is None else y + bias


def general_product(a: Array, b: Array, c: Array | None, alpha: float, beta: float) -> Array:
    """``alpha * a @ b + beta * c``: the GEMM of BLAS."""
    scaled = None if c is None else c * np.asarray(beta).astype(a.dtype)
    return product(a, b, alpha, scaled)
