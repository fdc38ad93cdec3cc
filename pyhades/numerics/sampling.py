"""Choice of a token from logits."""

from __future__ import annotations

import numpy as np

from pyhades.numerics.array import Array


def sample(row: Array, temperature: float, uniform: float) -> int:
    """Invert the distribution ``softmax(row / temperature)`` at ``uniform`` in [0, 1).

    Temperature 0 takes the largest logit, the first of equals, as does a row without a finite peak.
    NaN is never chosen.
    """
    row = np.where(np.isnan(row), -np.inf, row)
    if temperature == 0 or not np.isfinite(row.max()):
        return int(row.argmax())
    sums = np.exp((row - row.max()) / temperature).cumsum()
    return int(np.searchsorted(sums, uniform * sums[-1], side="right"))
