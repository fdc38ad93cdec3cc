"""Operators that place ones, rows or blocks by position."""

from __future__ import annotations

from typing import Any

import numpy as np

from pyhades.ir.graph import Dim, Node
from pyhades.ir.ops.layout import Movement
from pyhades.ir.registry import Array, Operator, attribute, ir_op
from pyhades.ir.shapes import (
    UNKNOWN,
    Shape,
    UnknownShape,
    agree,
    constant_of,
    fail,
    normalize_axes,
    normalize_axis,
    rank_of,
    shape_of,
)
from pyhades.ir.signature import DType


@ir_op("Hardmax", "F -> F", axis=-1)
class Hardmax(Operator):
    """One at the first maximum along an axis, zero elsewhere."""

    def shapes(self, node: Node) -> list[Shape]:
        x = shape_of(node, 0)
        normalize_axis(node, attribute(node, "axis"), len(x))
        return [x]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        (x,) = inputs
        axis = attribute(node, "axis")
        y = np.zeros_like(x)
        np.put_along_axis(y, np.expand_dims(x.argmax(axis), axis), 1, axis)
        return [y]


@ir_op("OneHot", "N, N1, T -> T", axis=-1)
class OneHot(Movement):
    """A new axis of extent ``depth`` with the second value at the index and the first elsewhere."""

    def axis(self, node: Node, rank: int) -> int:
        """Where the new axis comes."""
        return normalize_axis(node, attribute(node, "axis"), rank + 1)

    def shapes(self, node: Node) -> list[Shape]:
        indices = shape_of(node, 0)
        axis = self.axis(node, len(indices))
        depth: Dim = UNKNOWN
        try:
            given = constant_of(node, 1)
            if given is None or given.size != 1:
                fail(node, "depth must be a scalar")
            depth = int(given.reshape(()))
        except UnknownShape:
            pass
        if isinstance(depth, int) and depth < 0:
            fail(node, f"depth {depth} is negative")
        agree(node, shape_of(node, 2)[0] if rank_of(node, 2) == 1 else 0, 2, "values and two")
        return [(*indices[:axis], depth, *indices[axis:])]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        indices, depth, values = inputs
        axis, depth = self.axis(node, indices.ndim), int(depth.reshape(()))
        where = np.expand_dims(indices.astype(np.int64), axis)
        where = np.where(where < 0, where + depth, where)
        positions = np.arange(depth).reshape(-1, *[1] * (indices.ndim - axis))
        return [np.where(where == positions, values[1], values[0])]


@ir_op("EyeLike", "T -> *", dtype=None, k=0)
class EyeLike(Movement):
    """A matrix of the shape of x with ones on a diagonal."""

    def dtypes(self, node: Node) -> list[DType]:
        x = node.inputs[0]
        assert x is not None and x.type is not None
        return [np.dtype(attribute(node, "dtype") or x.type.dtype)]

    def shapes(self, node: Node) -> list[Shape]:
        x = shape_of(node, 0)
        if len(x) != 2:
            fail(node, f"x must be a matrix, has rank {len(x)}")
        return [x]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        rows, columns = inputs[0].shape
        dtype = np.dtype(attribute(node, "dtype") or inputs[0].dtype)
        return [np.eye(rows, columns, attribute(node, "k"), dtype)]


@ir_op("ReverseSequence", "T, int64 -> T", batch_axis=1, time_axis=0)
class ReverseSequence(Movement):
    """The first so many positions along time in reverse, per batch entry; the rest as it is."""

    def axes(self, node: Node, rank: int) -> tuple[int, int]:
        """The axes of batch and time."""
        axes = [attribute(node, "batch_axis"), attribute(node, "time_axis")]
        batch, time = normalize_axes(node, axes, rank)
        return batch, time

    def shapes(self, node: Node) -> list[Shape]:
        x = shape_of(node, 0)
        batch, _ = self.axes(node, len(x))
        agree(node, x[batch], shape_of(node, 1)[0] if rank_of(node, 1) else 0, "batches")
        return [x]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, lengths = inputs
        batch, time = self.axes(node, x.ndim)
        length = lengths.reshape([-1 if axis == batch else 1 for axis in range(x.ndim)])
        steps = np.arange(x.shape[time])
        steps = steps.reshape([-1 if axis == time else 1 for axis in range(x.ndim)])
        where = np.where(steps < length, length - 1 - steps, steps)
        return [np.take_along_axis(x, np.broadcast_to(where, x.shape), axis=time)]
