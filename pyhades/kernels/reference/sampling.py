"""Reference of sampling."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pyhades.kernels.arguments import Array
from pyhades.numerics import sampling


def sample(logits: ArrayLike, temperature: ArrayLike = 1.0, uniform: ArrayLike = 0.0) -> Array:
    """See :func:`pyhades.kernels.sample`; in float64."""
    rows = np.asarray(logits, np.float64)
    temperatures = np.broadcast_to(temperature, len(rows))
    uniforms = np.broadcast_to(uniform, len(rows))
    chosen = map(sampling.sample, rows, temperatures, uniforms)
    return np.array(list(chosen), np.int32)
