"""Operands before they have an address: strided windows of buffers.

Reshape, Transpose, Slice and Expand are arithmetic on shape and strides here, and cost nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]


@dataclass(eq=False)
class Buffer:
    """A piece of memory: in the arena, bound per run (io), or a constant."""

    kind: Literal["arena", "io", "constant"]
    name: str
    nbytes: int
    data: Array | None = None
    is_resident: bool = False
    """A constant that kernels read where it lies; it must outlive the program."""

    def __repr__(self) -> str:
        return f"{self.kind}:{self.name}"


def dense_strides(shape: Sequence[int], order: Sequence[int] | None = None) -> Shape:
    """Strides without gaps; ``order`` lists the axes from outermost to innermost."""
    strides = [0] * len(shape)
    step = 1
    for axis in reversed(range(len(shape)) if order is None else order):
        strides[axis] = step
        step *= max(shape[axis], 1)
    return tuple(strides)


@dataclass(frozen=True)
class View:
    """A tensor inside a buffer; ``strides`` and ``offset`` count elements."""

    buffer: Buffer
    dtype: np.dtype[Any]
    shape: Shape
    strides: Shape
    offset: int = 0

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def rank(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def order(self) -> tuple[int, ...]:
        """Axes from outermost to innermost, by stride; axes of extent 1 keep their place."""
        moving = [axis for axis in range(self.rank) if self.shape[axis] != 1]
        by_stride = iter(sorted(moving, key=lambda axis: -abs(self.strides[axis])))
        return tuple(
            axis if self.shape[axis] == 1 else next(by_stride) for axis in range(self.rank)
        )

    def is_dense(self, order: Sequence[int] | None = None) -> bool:
        """Whether the strides are those of :func:`dense_strides`, extents of 1 aside."""
        expected = dense_strides(self.shape, order)
        return all(
            extent == 1 or have == want
            for extent, have, want in zip(self.shape, self.strides, expected, strict=True)
        )

    def is_same(self, other: View) -> bool:
        """Whether both are the same elements of one buffer, whatever strides axes of 1 have."""
        return (self.buffer, self.shape, self.offset) == (
            other.buffer,
            other.shape,
            other.offset,
        ) and all(
            extent == 1 or mine == yours
            for extent, mine, yours in zip(self.shape, self.strides, other.strides, strict=True)
        )

    def transpose(self, perm: Sequence[int]) -> View:
        """Axes in the order ``perm``."""
        return replace(
            self,
            shape=tuple(self.shape[axis] for axis in perm),
            strides=tuple(self.strides[axis] for axis in perm),
        )

    def slice(self, axis: int, start: int, count: int, step: int = 1) -> View:
        """``count`` positions of ``axis`` from ``start``."""
        shape, strides = list(self.shape), list(self.strides)
        shape[axis], strides[axis] = count, self.strides[axis] * step
        offset = self.offset + (start * self.strides[axis] if count else 0)
        return replace(self, shape=tuple(shape), strides=tuple(strides), offset=offset)

    def expand(self, shape: Sequence[int]) -> View:
        """Broadcast to ``shape`` by NumPy's rules, by strides of 0."""
        added = len(shape) - self.rank
        have = (1,) * added + self.shape
        strides = (0,) * added + self.strides
        return replace(
            self,
            shape=tuple(shape),
            strides=tuple(
                0 if extent == 1 and wanted != 1 else stride
                for extent, wanted, stride in zip(have, shape, strides, strict=True)
            ),
        )

    def reshape(self, shape: Sequence[int]) -> View | None:
        """The same elements in row-major order as ``shape``; None where strides cannot say it."""
        strides = _reshaped_strides(self.shape, self.strides, tuple(shape))
        return None if strides is None else replace(self, shape=tuple(shape), strides=strides)

    def __str__(self) -> str:
        shape = ",".join(map(str, self.shape))
        layout = "" if self.is_dense() else f" strides {','.join(map(str, self.strides))}"
        return f"{self.dtype.name}[{shape}]{layout}"


def _reshaped_strides(shape: Shape, strides: Shape, target: Shape) -> Shape | None:
    """Match runs of axes of equal product; a run of several source axes has to be mergeable."""
    if 0 in shape:
        return dense_strides(target)
    source = [(e, s) for e, s in zip(shape, strides, strict=True) if e != 1]
    result = [0] * len(target)
    axis = 0
    wanted = [index for index, extent in enumerate(target) if extent != 1]
    while source:
        extent, stride = source.pop(0)
        group = [wanted[axis]]
        total = target[wanted[axis]]
        axis += 1
        while total != extent:
            if total < extent:
                group.append(wanted[axis])
                total *= target[wanted[axis]]
                axis += 1
            else:
                inner_extent, inner_stride = source.pop(0)
                if stride != inner_extent * inner_stride:
                    return None
                extent, stride = extent * inner_extent, inner_stride
        for index in reversed(group):
            result[index] = stride
            stride *= target[index]
    return _strides_of_ones(target, result)


def _strides_of_ones(shape: Shape, strides: list[int]) -> Shape:
    """Give axes of extent 1 the stride that a dense tensor would have there."""
    step = 1
    for axis in reversed(range(len(shape))):
        if shape[axis] == 1:
            strides[axis] = step
        step = max(step, abs(strides[axis]) * shape[axis])
    return tuple(strides)


def root_of(array: Array) -> Array:
    """The array of the same dtype that ``array`` is a window of."""
    while isinstance(array.base, np.ndarray) and array.base.dtype == array.dtype:
        array = array.base
    return array


def constant_view(buffer: Buffer, array: Array, root: Array) -> View:
    """``array``, a window of ``root``, as a view of the buffer that holds ``root``."""
    start = array.__array_interface__["data"][0] - root.__array_interface__["data"][0]
    size = array.dtype.itemsize
    strides = tuple(stride // size for stride in array.strides)
    return View(buffer, array.dtype, array.shape, strides, start // size)
