"""Softmax, in NumPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pyhades.kernels.arguments import Array


def softmax(x: ArrayLike) -> Array:
    """See :func:`pyhades.kernels.softmax`."""
    shifted, total = _shifted(x)
    return (np.exp(shifted) / total).astype(np.float32)


def log_softmax(x: ArrayLike) -> Array:
    """See :func:`pyhades.kernels.log_softmax`."""
    shifted, total = _shifted(x)
    return (shifted - np.log(total)).astype(np.float32)


def _shifted(x: ArrayLike) -> tuple[Array, Array]:
    """Rows minus their peak, and the sums of their exponentials; 1 for a row of -inf."""
    wide = np.asarray(x, np.float64)
    peak = wide.max(-1, keepdims=True)
    shifted = wide - np.where(np.isinf(peak), 0, peak)
    total = np.exp(shifted).sum(-1, keepdims=True)
    return shifted, np.where(total > 0, total, 1)
