"""Moving elements, in NumPy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from pyhades.kernels.arguments import Array
from pyhades.numerics import layout as specification


def transpose(x: ArrayLike, axes: Sequence[int] | None = None) -> Array:
    """See :func:`pyhades.kernels.transpose`."""
    return np.ascontiguousarray(np.transpose(np.asarray(x), axes))


def copy(x: ArrayLike) -> Array:
    """See :func:`pyhades.kernels.copy`."""
    return np.array(x, order="C")


def fill(shape: Sequence[int], value: float, dtype: DTypeLike = np.float32) -> Array:
    """See :func:`pyhades.kernels.fill`."""
    return np.full(tuple(shape), value, dtype)


def pad(
    x: ArrayLike,
    pads: Sequence[tuple[int, int]],
    mode: str = "constant",
    value: float = 0,
) -> Array:
    """See :func:`pyhades.kernels.pad`."""
    return np.ascontiguousarray(specification.pad(np.asarray(x), pads, mode, value))
