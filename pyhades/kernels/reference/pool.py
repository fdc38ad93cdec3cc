"""Pooling, in NumPy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from pyhades.kernels.arguments import Array
from pyhades.kernels.pool import ByteGrid, pooled_extent
from pyhades.numerics import byte_images, pooling
from pyhades.numerics.integers import Grid
from pyhades.numerics.window import Window


def max_pool(
    x: ArrayLike,
    kernel: Sequence[int],
    strides: Sequence[int] | None = None,
    pads: Sequence[int] = (0, 0, 0, 0),
    dilations: Sequence[int] = (1, 1),
    *,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Array | tuple[Array, Array]:
    """See :func:`pyhades.kernels.max_pool`."""
    x = np.asarray(x)
    window, counts = pool_geometry(x, kernel, strides or kernel, pads, dilations, ceil_mode)
    y, positions = pooling.max_pool(x, window, counts)
    return (y, positions) if return_indices else y


def average_pool(
    x: ArrayLike,
    kernel: Sequence[int],
    strides: Sequence[int] | None = None,
    pads: Sequence[int] = (0, 0, 0, 0),
    dilations: Sequence[int] = (1, 1),
    *,
    ceil_mode: bool = False,
    count_include_pad: bool = False,
    x_grid: ByteGrid = (1.0, 0),
    y_grid: ByteGrid = (1.0, 0),
) -> Array:
    """See :func:`pyhades.kernels.average_pool`; sums in float64, of bytes in float32."""
    x = np.asarray(x)
    window, counts = pool_geometry(x, kernel, strides or kernel, pads, dilations, ceil_mode)
    if x.dtype == np.uint8:
        seen = pooling.numbers_seen(x.shape, window, counts, count_include_pad)
        return byte_images.average_pool_u8(x, window, counts, seen, Grid(*x_grid), Grid(*y_grid))
    wide = x.astype(np.float64)
    return pooling.average_pool(wide, window, counts, count_include_pad).astype(x.dtype)


def pool_geometry(
    x: Array,
    kernel: Sequence[int],
    strides: Sequence[int],
    pads: Sequence[int],
    dilations: Sequence[int],
    ceil_mode: bool,
) -> tuple[Window, list[int]]:
    """The window and how many there are along both axes."""
    window = Window(
        tuple(kernel), tuple(strides), tuple(dilations), tuple(pads[:2]), tuple(pads[2:])
    )
    counts = [
        pooled_extent(
            x.shape[2 + axis],
            kernel[axis],
            strides[axis],
            dilations[axis],
            pads[axis],
            pads[axis + 2],
            ceil_mode,
        )
        for axis in range(2)
    ]
    return window, counts
