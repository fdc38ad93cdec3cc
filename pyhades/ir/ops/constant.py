"""Operators that make a tensor from little or nothing: constants, shapes, ranges."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pyhades.ir.graph import Node
from pyhades.ir.ops.layout import Movement, unknown_of_rank_in
from pyhades.ir.registry import Array, attribute, ir_op
from pyhades.ir.shapes import (
    UNKNOWN,
    Shape,
    UnknownShape,
    constant_of,
    fail,
    integers_of,
    rank_of,
)
from pyhades.ir.signature import DType


@ir_op("Constant", "-> *", value=None)
class Constant(Movement):
    """The array in attribute ``value``. Importers make constant values instead of such nodes."""

    def dtypes(self, node: Node) -> list[DType]:
        return [attribute(node, "value").dtype]

    def shapes(self, node: Node) -> list[Shape]:
        return [attribute(node, "value").shape]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        return [attribute(node, "value")]


@ir_op("ConstantOfShape", "int64 -> *", value=None)
class ConstantOfShape(Movement):
    """A tensor of the shape given as input, filled with ``value`` (a float32 zero by default)."""

    deciding = (0,)

    @staticmethod
    def _value(node: Node) -> Array:
        value = attribute(node, "value")
        if value is not None and value.size != 1:
            fail(node, f"value must have one element, has {value.size}")
        return np.zeros((), np.float32) if value is None else value.reshape(())

    def dtypes(self, node: Node) -> list[DType]:
        return [self._value(node).dtype]

    def shapes(self, node: Node) -> list[Shape]:
        try:
            extents = integers_of(node, 0) or []
        except UnknownShape:
            return [unknown_of_rank_in(node, 0)]
        if min(extents, default=0) < 0:
            fail(node, f"shape {extents} has a negative extent")
        return [tuple(extents)]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        value = self._value(node)
        return [np.full(tuple(int(extent) for extent in inputs[0]), value, value.dtype)]


@ir_op("Shape", "T -> int64", start=0, end=None)
class ShapeOf(Movement):
    """Extents of axes [start, end); both clamp and may count from the back."""

    def _bounds(self, node: Node, rank: int) -> tuple[int, int]:
        first, last = attribute(node, "start"), attribute(node, "end")
        first, last, _ = slice(first, last).indices(rank)
        return first, max(first, last)

    def shapes(self, node: Node) -> list[Shape]:
        first, last = self._bounds(node, rank_of(node, 0))
        return [(last - first,)]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        first, last = self._bounds(node, inputs[0].ndim)
        return [np.array(inputs[0].shape[first:last], np.int64)]


@ir_op("Size", "T -> int64")
class Size(Movement):
    """Number of elements, a scalar."""

    def shapes(self, node: Node) -> list[Shape]:
        return [()]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        return [np.array(inputs[0].size, np.int64)]


@ir_op("Range", "N, N, N -> N", stash_type=1)
class Range(Movement):
    """start, start + delta, ... up to but without limit; the inputs are scalars."""

    deciding = (0, 1, 2)

    @staticmethod
    def _count(node: Node, start: Array, limit: Array, delta: Array) -> int:
        if not delta.item():
            fail(node, "delta must not be zero")
        distance, step = limit.item() - start.item(), delta.item()
        # Integers never leave the integers: a float would round beyond 2**53.
        steps = -(-distance // step) if isinstance(step, int) else math.ceil(distance / step)
        return max(int(steps), 0)

    def shapes(self, node: Node) -> list[Shape]:
        try:
            bounds = [constant_of(node, index) for index in range(3)]
        except UnknownShape:
            return [(UNKNOWN,)]
        if any(bound is None or bound.size != 1 for bound in bounds):
            fail(node, "start, limit and delta must be scalars")
        return [(self._count(node, *bounds),)]  # type: ignore[arg-type]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        start, _, delta = (array.reshape(()) for array in inputs)
        steps = np.arange(self._count(node, *inputs))
        wide = np.float32 if start.dtype == np.float16 else start.dtype
        y = start.astype(wide) + steps.astype(wide) * delta.astype(wide)
        return [y.astype(start.dtype, copy=False)]
