"""Folding, in NumPy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from pyhades.kernels.arguments import Array
from pyhades.kernels.fold import fold_window
from pyhades.numerics import fold as numerics


def fold(
    columns: ArrayLike,
    size: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    dilations: Sequence[int] | None = None,
) -> Array:
    """See :func:`pyhades.kernels.fold`; sums in float64."""
    ones, zeros = [1] * len(size), [0] * (2 * len(size))
    window = fold_window(kernel, strides or ones, pads or zeros, dilations or ones)
    wide = np.asarray(columns).astype(np.float64)
    return numerics.fold(wide, size, window).astype(np.float32)
