"""What places ones, rows or blocks by position: comparisons with ranges, gathers, slices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pyhades.ir.graph import Node, Value
from pyhades.ir.inference import constant
from pyhades.ir.ops.selection import OneHot, ReverseSequence
from pyhades.ir.registry import attribute, operator
from pyhades.ir.shapes import integers_of, shape
from pyhades.passes.decompose.rule import Builder, dtype_of, rule, source


def _range(build: Builder, extent: int, axis: int, rank: int) -> Value:
    """0, 1, ... along one of ``rank`` axes."""
    extents = [extent if i == axis else 1 for i in range(rank)]
    return constant(f"{build.name}.range{axis}", np.arange(extent, dtype=np.int64).reshape(extents))


@rule("Hardmax")
def _hardmax(build: Builder, node: Node) -> None:
    """A comparison with the position of the maximum."""
    x = source(node)
    axis = attribute(node, "axis") % len(shape(x))
    positions = _range(build, shape(x)[axis], axis, len(shape(x)))
    first = build.apply("ArgMax", x, axis=axis, keepdims=1)
    build.become("Cast", build.apply("Equal", first, positions), to=dtype_of(x))


@rule("OneHot")
def _one_hot(build: Builder, node: Node) -> None:
    known = operator("OneHot")
    assert isinstance(known, OneHot)
    indices, values = build.cast(source(node), np.int64, "indices"), source(node, 2)
    extents = shape(node.outputs[0])
    axis = known.axis(node, len(shape(indices)))
    where = build.reshape(indices, [*extents[:axis], 1, *extents[axis + 1 :]], "where")
    negative = build.apply("Less", where, build.number(0, where), suffix="negative")
    wrapped = build.apply("Add", where, build.number(extents[axis], where), suffix="wrapped")
    where = build.apply("Where", negative, wrapped, where, suffix="counted")
    positions = _range(build, extents[axis], axis, len(extents))
    hot = build.apply("Equal", where, positions, suffix="hot")
    off, on = (
        build.reshape(build.slice(values, 0, i, i + 1, name), (), f"{name}.value")
        for i, name in enumerate(("off", "on"))
    )
    build.become("Where", hot, on, off)


@rule("ReverseSequence")
def _reverse_sequence(build: Builder, node: Node) -> None:
    known = operator("ReverseSequence")
    assert isinstance(known, ReverseSequence)
    x, lengths = source(node), source(node, 1)
    extents = shape(x)
    batch, time = known.axes(node, len(extents))
    column = [extents[batch] if axis == batch else 1 for axis in range(len(extents))]
    length = build.reshape(lengths, column, "lengths")
    steps = _range(build, extents[time], time, len(extents))
    last = build.apply("Sub", length, build.number(1, length), suffix="last")
    mirrored = build.apply("Sub", last, steps, suffix="mirrored")
    inside = build.apply("Less", steps, length, suffix="inside")
    where = build.apply("Where", inside, mirrored, steps, suffix="where")
    indices = build.apply("Expand", where, build.integers("extents", extents), suffix="indices")
    build.become("GatherElements", x, indices, axis=time)


def _diagonal_varies(node: Node) -> bool:
    k = node.input(1)
    return k is not None and k.data is None


@rule("Trilu", when=_diagonal_varies)
def _trilu(build: Builder, node: Node) -> None:
    """A comparison of rows and columns with a diagonal that the network computes."""
    x, k = source(node), source(node, 1)
    rows, columns = shape(x)[-2:]
    row, column = _range(build, rows, 0, 2), _range(build, columns, 1, 2)
    diagonal = build.apply("Add", row, build.reshape(k, (1, 1), "k"), suffix="diagonal")
    op = "GreaterOrEqual" if attribute(node, "upper") else "LessOrEqual"
    kept = build.apply(op, column, diagonal, suffix="kept")
    build.become("Where", kept, x, build.number(0, x))


@rule("CumProd")
def _running_product(build: Builder, node: Node) -> None:
    """Products of 2, 4, 8, ... neighbours: each step multiplies by what lies that far before."""
    x, (axis,) = source(node), integers_of(node, 1) or [0]
    axis %= len(shape(x))
    reverse, extent = bool(attribute(node, "reverse")), shape(x)[axis]
    if attribute(node, "exclusive"):
        x = _shifted(build, x, axis, 1, reverse)
    distance = 1
    while distance < extent:
        before = _shifted(build, x, axis, distance, reverse)
        x = build.apply("Mul", x, before, suffix=f"product{distance}")
        distance *= 2
    build.become("Identity", x)


def _shifted(build: Builder, x: Value, axis: int, distance: int, reverse: bool) -> Value:
    """``x`` moved along an axis, with ones where nothing comes from."""
    extents: Sequence[int] = shape(x)
    ones = [min(distance, n) if i == axis else n for i, n in enumerate(extents)]
    name = f"shift{distance}" if distance > 1 else f"first{len(build.name)}"
    edge = constant(f"{build.name}.ones{distance}", np.ones(ones, dtype_of(x)))
    start, stop = (distance, extents[axis]) if reverse else (0, extents[axis] - distance)
    rest = build.slice(x, axis, start, max(stop, start), f"{name}.rest")
    parts = (rest, edge) if reverse else (edge, rest)
    return build.apply("Concat", *parts, suffix=name, axis=axis)
