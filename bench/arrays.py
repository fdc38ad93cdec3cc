"""Arrays of random numbers, the same in every run."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def normal(*shape: int) -> NDArray[np.float32]:
    """Of the normal distribution around 0."""
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)
