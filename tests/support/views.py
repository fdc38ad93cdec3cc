"""Arrays of given values in memory layouts that nobody would choose."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def scattered(rng: np.random.Generator, values: Array) -> Array:
    """A copy of ``values`` whose axes are permuted, spaced out and reversed in memory."""
    order = rng.permutation(values.ndim)
    steps = rng.choice([1, 1, 1, 2, -1, -3], values.ndim)
    extents = [values.shape[axis] * abs(int(steps[axis])) for axis in order]
    base = np.zeros(extents, values.dtype).transpose(np.argsort(order))
    view: Array = base[(*(slice(None, None, int(step)) for step in steps), ...)]
    view[...] = values
    return view


def partly_repeated(rng: np.random.Generator, values: Array) -> Array:
    """``values`` with some axes cut to their first element and broadcast, in a scattered layout."""
    repeated = rng.random(values.ndim) < 0.3
    first = values[(*(slice(0, 1) if cut else slice(None) for cut in repeated), ...)]
    return np.broadcast_to(scattered(rng, first), values.shape)
