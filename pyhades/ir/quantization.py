"""The grid that the numbers of a quantised value lie on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pyhades.numerics.quantization import LIMITS, kept_as, spread

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Quantization:
    """Where the numbers of a tensor lie: at ``(q - zero_point) * scale`` for integers ``q``.

    Attributes
    ----------
    scale
        float32: one number, one per position of ``axis``, or one per block of positions.
    zero_point
        Integers of the same shape; None stands for zeros.
    storage
        The type of the integers in the file: ``"uint8"``, ``"int4"``, ...
    axis
        The axis that scales belong to; None where there is one for the whole tensor.
    block_size
        Positions of ``axis`` that share a scale; 0 where each has its own.

    Examples
    --------
    >>> import numpy as np
    >>> grid = Quantization(np.float32(0.5), None, "int8")
    >>> print(grid)
    int8 * 0.5
    >>> grid.integers(np.array([1.5, -2.0], np.float32))
    array([ 3, -4], dtype=int8)
    """

    scale: Array
    zero_point: Array | None
    storage: str
    axis: int | None = None
    block_size: int = 0

    def same(self, other: Quantization | None) -> bool:
        """Whether both name the same points."""
        if other is None or self.storage != other.storage or self.axis != other.axis:
            return False
        if self.block_size != other.block_size or not np.array_equal(self.scale, other.scale):
            return False
        mine, theirs = (
            np.zeros((), np.int32) if grid.zero_point is None else grid.zero_point
            for grid in (self, other)
        )
        return bool(np.all(mine == theirs))

    def integers(self, x: Array) -> Array:
        """The integers of numbers that lie on the grid, exactly as the file had them."""
        axis = self.axis or 0
        scale = spread(self.scale, x.shape, axis, self.block_size)
        low, high = LIMITS[self.storage]
        q = np.rint(x.astype(np.float64) / scale.astype(np.float64))
        if self.zero_point is not None:
            q = q + spread(self.zero_point, x.shape, axis, self.block_size)
        return np.clip(q, low, high).astype(kept_as(self.storage))

    def __str__(self) -> str:
        if self.axis is None:
            zero = 0 if self.zero_point is None else int(self.zero_point.reshape(-1)[0])
            shift = f" from {zero}" if zero else ""
            return f"{self.storage} * {float(self.scale.reshape(-1)[0]):.6g}{shift}"
        blocks = f" in blocks of {self.block_size}" if self.block_size else ""
        return f"{self.storage} per axis {self.axis}{blocks}"
