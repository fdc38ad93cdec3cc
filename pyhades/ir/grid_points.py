"""Constants on a grid, kept as integers: a quarter of the memory of the numbers they stand for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pyhades.ir.quantization import Quantization
from pyhades.numerics.quantization import dequantize, spread

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class GridPoints:
    """Points of a grid, by their integers.

    Attributes
    ----------
    integers
        As the file has them; perhaps a view into it.
    grid
        What they stand for.
    dtype
        Of the numbers.

    Examples
    --------
    >>> import numpy as np
    >>> grid = Quantization(np.float32(0.5), None, "int8")
    >>> GridPoints(np.array([3, -4], np.int8), grid, np.dtype(np.float32)).numbers()
    array([ 1.5, -2. ], dtype=float32)
    """

    integers: Array
    grid: Quantization
    dtype: np.dtype[Any]

    def numbers(self) -> Array:
        """What the integers stand for, computed anew."""
        grid, shape = self.grid, self.integers.shape
        zero = np.zeros((), np.int32) if grid.zero_point is None else grid.zero_point
        scale, zero = (
            spread(parameter, shape, grid.axis or 0, grid.block_size)
            for parameter in (grid.scale, zero)
        )
        return dequantize(self.integers, scale, zero).astype(self.dtype, copy=False)


def integers_of(kept: Array | GridPoints, grid: Quantization) -> Array:
    """The integers of a constant on ``grid``, however it is kept."""
    return kept.integers if isinstance(kept, GridPoints) else grid.integers(kept)
