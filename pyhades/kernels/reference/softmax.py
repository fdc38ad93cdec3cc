"""Softmax, in NumPy; computed in float64 and rounded once."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pyhades.kernels.arguments import Array
from pyhades.numerics import normalization


def softmax(x: ArrayLike) -> Array:
    """See :func:`pyhades.kernels.softmax`."""
    return normalization.softmax(np.asarray(x, np.float64), -1).astype(np.float32)


def log_softmax(x: ArrayLike) -> Array:
    """See :func:`pyhades.kernels.log_softmax`."""
    return normalization.log_softmax(np.asarray(x, np.float64), -1).astype(np.float32)
