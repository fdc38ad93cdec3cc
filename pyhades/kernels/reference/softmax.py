"""Softmax, in NumPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pyhades.kernels.arguments import Array


def softmax(x: ArrayLike, *, log: bool = False) -> Array:
    """See :func:`pyhades.kernels.softmax`."""
    wide = np.asarray(x, np.float64)
    peak = wide.max(-1, keepdims=True)
    shifted = wide - np.where(np.isinf(peak), 0, peak)
    with np.errstate(divide="ignore"):
        total = np.exp(shifted).sum(-1, keepdims=True)
        if log:
            return (shifted - np.log(np.where(total > 0, total, 1))).astype(np.float32)
    return (np.exp(shifted) / np.where(total > 0, total, 1)).astype(np.float32)
