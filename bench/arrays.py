"""Arrays that benchmarks of kernels read."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def normal(*shape: int) -> NDArray[np.float32]:
    """Numbers of the normal distribution around 0, the same in every run."""
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def channels_last(array: NDArray[Any]) -> NDArray[Any]:
    """The same array, in whose memory the channels of a position, axis 1, are neighbours."""
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(array, 1, -1)), -1, 1)
