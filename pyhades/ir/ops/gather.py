"""Reading and writing by index."""

from __future__ import annotations

from typing import Any

import numpy as np

from pyhades.ir.graph import Node
from pyhades.ir.ops.layout import Movement
from pyhades.ir.registry import Array, attribute, ir_op
from pyhades.ir.shapes import Shape, UnknownShape, agree, fail, normalize_axis, shape_of
from pyhades.numerics.gather import (
    REDUCTIONS,
    element_positions,
    gather_elements,
    gather_nd,
    scatter,
    tuple_positions,
)


def _checked(node: Node, indices: Array, extent: int) -> Array:
    """``indices`` counted from the front; ShapeError where one is out of range."""
    if indices.size and not (-extent <= indices.min() and indices.max() < extent):
        fail(node, f"an index is outside [{-extent}, {extent})")
    return np.where(indices < 0, indices + extent, indices)


@ir_op("Gather", "T, I -> T", axis=0)
class Gather(Movement):
    """Slices of x along ``axis``, by index; indices may have any rank and count from the back."""

    def shapes(self, node: Node) -> list[Shape]:
        x, indices = shape_of(node, 0), shape_of(node, 1)
        axis = normalize_axis(node, attribute(node, "axis"), len(x))
        return [(*x[:axis], *indices, *x[axis + 1 :])]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, indices = inputs
        axis = normalize_axis(node, attribute(node, "axis"), x.ndim)
        return [x.take(_checked(node, indices, x.shape[axis]), axis=axis)]


def _same_ranks(node: Node) -> tuple[Shape, Shape, int]:
    x, indices = shape_of(node, 0), shape_of(node, 1)
    if len(x) != len(indices):
        fail(node, f"data has rank {len(x)} and indices rank {len(indices)}")
    return x, indices, normalize_axis(node, attribute(node, "axis"), len(x))


@ir_op("GatherElements", "T, I -> T", axis=0)
class GatherElements(Movement):
    """out[i, j] = x[indices[i, j], j] for axis 0, and so on."""

    def shapes(self, node: Node) -> list[Shape]:
        return [_same_ranks(node)[1]]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, indices = inputs
        axis = normalize_axis(node, attribute(node, "axis"), x.ndim)
        return [gather_elements(x, _checked(node, indices, x.shape[axis]), axis)]


@ir_op("ScatterElements", "T, I, T -> T", axis=0, reduction="none")
class ScatterElements(Movement):
    """Write updates where GatherElements would read, replacing or reducing."""

    def shapes(self, node: Node) -> list[Shape]:
        x, indices, _ = _same_ranks(node)
        updates = shape_of(node, 2)
        if len(updates) != len(indices):
            fail(node, "indices and updates differ in rank")
        for a, b in zip(indices, updates, strict=True):
            agree(node, a, b, "extents of indices and updates")
        return [x]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, indices, updates = inputs
        axis = normalize_axis(node, attribute(node, "axis"), x.ndim)
        where = element_positions(_checked(node, indices, x.shape[axis]), axis)
        return [_scatter(node, x, where, updates)]


def _scatter(node: Node, x: Array, where: tuple[Array, ...], updates: Array) -> Array:
    reduction = attribute(node, "reduction")
    if reduction not in REDUCTIONS:
        fail(node, f"reduction {reduction!r} is unknown")
    return scatter(x, where, updates, reduction)


def _tuple_length(node: Node, available: int) -> int:
    indices = shape_of(node, 1)
    if not indices:
        fail(node, "indices must have rank 1 or more")
    length = indices[-1]
    if isinstance(length, str):
        raise UnknownShape
    if length > available:
        fail(node, f"indices of {length} numbers do not fit {available} axes")
    return length


@ir_op("GatherND", "T, int64 -> T", batch_dims=0)
class GatherND(Movement):
    """Slices of x at index tuples in the last axis of indices, per batch entry."""

    def shapes(self, node: Node) -> list[Shape]:
        x, indices, batch = shape_of(node, 0), shape_of(node, 1), attribute(node, "batch_dims")
        if not 0 <= batch < min(len(x), len(indices)):
            fail(node, f"batch_dims {batch} does not fit ranks {len(x)} and {len(indices)}")
        for a, b in zip(x[:batch], indices[:batch], strict=True):
            agree(node, a, b, "batch extents")
        length = _tuple_length(node, len(x) - batch)
        return [(*indices[:-1], *x[batch + length :])]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, indices = inputs
        batch = attribute(node, "batch_dims")
        return [gather_nd(x, _checked_tuples(node, x.shape[batch:], indices), batch)]


def _checked_tuples(node: Node, extents: tuple[int, ...], indices: Array) -> Array:
    count = indices.shape[-1]
    columns = [_checked(node, indices[..., i], extents[i]) for i in range(count)]
    return np.stack(columns, axis=-1) if columns else indices


@ir_op("ScatterND", "T, int64, T -> T", reduction="none")
class ScatterND(Movement):
    """x with slices at index tuples replaced by, or reduced with, updates."""

    def shapes(self, node: Node) -> list[Shape]:
        x, indices, updates = (shape_of(node, index) for index in range(3))
        expected = (*indices[:-1], *x[_tuple_length(node, len(x)) :])
        if len(updates) != len(expected):
            fail(node, f"updates have rank {len(updates)}, expected {len(expected)}")
        for a, b in zip(updates, expected, strict=True):
            agree(node, a, b, "extents of updates and of the slices they replace")
        return [x]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, indices, updates = inputs
        checked = _checked_tuples(node, x.shape, indices)
        return [_scatter(node, x, tuple_positions(checked), updates)]
