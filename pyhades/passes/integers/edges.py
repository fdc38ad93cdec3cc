"""Which values of a graph are bytes, and what the bytes stand for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pyhades.ir.graph import Value
from pyhades.ir.inference import constant
from pyhades.ir.quantization import Quantization
from pyhades.numerics.integers import Grid, quantize
from pyhades.passes.decompose.rule import Builder

_SHIFTS = {"uint8": 0, "int8": 128}
"""What is added to integers of a storage to have the same points as bytes."""


@dataclass(frozen=True)
class ByteGrid:
    """``(q - zero) * scale`` for bytes q."""

    scale: float
    zero: int

    @classmethod
    def of(cls, value: Value | None) -> ByteGrid | None:
        """The grid of a float value, if its points are those of bytes."""
        grid = None if value is None or value.type is None else value.type.quantization
        return None if grid is None else cls.from_quantization(grid)

    @classmethod
    def from_quantization(cls, grid: Quantization) -> ByteGrid | None:
        """None where there are several scales, or points that bytes do not have."""
        shift = _SHIFTS.get(grid.storage)
        if shift is None or grid.axis is not None or grid.scale.size != 1:
            return None
        zero = 0 if grid.zero_point is None else int(grid.zero_point.reshape(()))
        scale = float(grid.scale.reshape(()))
        return cls(scale, zero + shift) if np.isfinite(scale) and scale > 0 else None

    def steps_of(self, other: ByteGrid) -> float:
        """How many steps of ``other`` a step is, as float32."""
        return float(np.float32(self.scale) / np.float32(other.scale))


@dataclass(frozen=True)
class Edge:
    """Bytes, and their grid."""

    q: Value
    grid: ByteGrid

    def on(self, build: Builder, grid: ByteGrid, suffix: str) -> Value:
        """Bytes on another grid."""
        if grid == self.grid:
            return self.q
        return build.apply(
            "Requantize",
            self.q,
            suffix=suffix,
            scale=self.grid.scale,
            zero=self.grid.zero,
            y_scale=grid.scale,
            y_zero=grid.zero,
        )


class Edges(dict[Value, Edge]):
    """The bytes behind float values."""

    def find(self, value: Value | None) -> Edge | None:
        """The bytes of a value that was computed, or of a constant on a grid of bytes."""
        if value is None or not value.is_constant:
            return None if value is None else self.get(value)
        grid = ByteGrid.of(value)
        return None if grid is None else Edge(bytes_of(value, grid), grid)


def bytes_of(value: Value, grid: ByteGrid) -> Value:
    """A constant as bytes."""
    data = value.data
    assert data is not None
    q = quantize(data.astype(np.float32), Grid(grid.scale, grid.zero))
    return constant(f"{value.name}.bytes", q)
