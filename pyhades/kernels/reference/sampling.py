"""Reference of sampling."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pyhades.kernels.arguments import Array


def sample(logits: ArrayLike, temperature: ArrayLike = 1.0, uniform: ArrayLike = 0.0) -> Array:
    """See :func:`pyhades.kernels.sample`."""
    rows = np.asarray(logits, np.float64)
    rows = np.where(np.isnan(rows), -np.inf, rows)
    temperatures = np.broadcast_to(temperature, len(rows))
    uniforms = np.broadcast_to(uniform, len(rows))
    tokens = []
    for row, heat, share in zip(rows, temperatures, uniforms, strict=True):
        if heat == 0 or not np.isfinite(row.max()):
            tokens.append(row.argmax())
            continue
        sums = np.exp((row - row.max()) / heat).cumsum()
        tokens.append(np.searchsorted(sums, share * sums[-1], side="right"))
    return np.array(tokens, np.int32)
