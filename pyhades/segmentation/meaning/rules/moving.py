"""Operators that move elements or mix neighbours: bounds stay, the axis of the classes moves."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from pyhades.ir.graph import Node
from pyhades.ir.registry import attribute
from pyhades.segmentation.meaning.facts import UNKNOWN, Fact, rank_of, shape_of
from pyhades.segmentation.meaning.rules.table import rule

if TYPE_CHECKING:
    from pyhades.segmentation.meaning.facts import Facts


@rule(
    "Identity", "Dropout", "Resize", "MaxPool", "AveragePool", "FakeQuantize", "Expand", "Tile",
    "QuantizeLinear", "DequantizeLinear", "Roll", "GridSample", "RoiAlign", "RoundFloat16",
    "CenterCropPad",
)  # fmt: skip
def _same(node: Node, facts: Facts) -> Fact:
    return facts.of(node.inputs[0]).through(node)


@rule(
    "DepthToSpace", "SpaceToDepth",
    "GlobalAveragePool", "GlobalMaxPool", "ReduceMean", "ReduceMax", "ReduceMin",
)  # fmt: skip
def _shuffled(node: Node, facts: Facts) -> Fact:
    """Bounds stay; channels are others, and a summary of classes is no class any more."""
    fact = facts.of(node.inputs[0])
    kind = "probabilities" if fact.kind == "classes" else fact.kind
    return fact.through(node, kind=kind, axis=None, classes=())


@rule("Cast", "CastLike")
def _cast(node: Node, facts: Facts) -> Fact:
    fact, kind = facts.of(node.inputs[0]), node.outputs[0].type
    is_integer = kind is not None and kind.dtype.kind in "iub"
    if is_integer and fact.kind in ("probabilities", "classes") and fact.high <= 1:
        return fact.through(node, kind="decisions", axis=None)
    if kind is not None and kind.dtype == np.bool_ and fact.kind == "labels":
        return fact.through(node, low=0, high=1, kind="decisions", classes=(0,), is_inverted=True)
    return fact.through(node)


@rule("Transpose")
def _transpose(node: Node, facts: Facts) -> Fact:
    fact, rank = facts.of(node.inputs[0]), rank_of(node.inputs[0])
    if fact.axis is None or rank is None:
        return fact.through(node, axis=None)
    order = attribute(node, "perm") or list(range(rank))[::-1]
    return fact.through(node, axis=list(order).index(fact.axis))


@rule("Squeeze", "Unsqueeze", "Reshape", "Flatten")
def _reshape(node: Node, facts: Facts) -> Fact:
    """The axis of the classes is found again by what lies before it and how long it is."""
    fact = facts.of(node.inputs[0])
    before, after = shape_of(node.inputs[0]), shape_of(node.outputs[0])
    if fact.axis is None or before is None or after is None:
        return fact.through(node, axis=None)
    leading, count = math.prod(before[: fact.axis]), before[fact.axis]
    for axis, extent in enumerate(after):
        if extent == count and math.prod(after[:axis]) == leading:
            return fact.through(node, axis=axis)
    return fact.through(node, axis=None)


@rule("Concat")
def _concat(node: Node, facts: Facts) -> Fact:
    """What is unknown may be anything, so all parts have to be bounded."""
    found = [facts.of(value) for value in node.inputs]
    low, high = min(f.low for f in found), max(f.high for f in found)
    kinds = {fact.kind for fact in found}
    if not (math.isfinite(low) or math.isfinite(high)):
        return UNKNOWN
    kind = kinds.pop() if len(kinds) == 1 else "scores"
    if kind in ("classes", "labels"):
        kind = "probabilities" if kind == "classes" and high <= 1 else "scores"
    return found[0].through(node, low=low, high=high, kind=kind, axis=None, classes=())


@rule("Pad")
def _pad(node: Node, facts: Facts) -> Fact:
    fact = facts.of(node.inputs[0])
    filling = facts.number(node.input(2)) or 0.0
    if attribute(node, "mode") != "constant" or not fact.is_bounded:
        return fact.through(node)
    return fact.through(node, low=min(fact.low, filling), high=max(fact.high, filling))


@rule("Split")
def _split(node: Node, facts: Facts) -> list[Fact]:
    """Each part has its share of the classes."""
    fact, rank = facts.of(node.inputs[0]), rank_of(node.inputs[0])
    if fact.axis is None or rank is None or attribute(node, "axis") % rank != fact.axis:
        return [fact.through(node)] * len(node.outputs)
    parts, start = [], 0
    for value in node.outputs:
        shape = shape_of(value)
        if shape is None:
            return [fact.through(node, axis=None, classes=())] * len(node.outputs)
        stop = start + shape[fact.axis]
        parts.append(_part(fact, node, fact.classes[start:stop]))
        start = stop
    return parts


@rule("Slice")
def _slice(node: Node, facts: Facts) -> Fact:
    fact, rank = facts.of(node.inputs[0]), rank_of(node.inputs[0])
    starts, stops = facts.numbers(node.input(1)), facts.numbers(node.input(2))
    if fact.axis is None or rank is None or starts is None or stops is None:
        return fact.through(node)
    axes = facts.numbers(node.input(3)) or list(range(len(starts)))
    steps = facts.numbers(node.input(4)) or [1] * len(starts)
    classes = fact.classes
    for axis, start, stop, step in zip(axes, starts, stops, steps, strict=True):
        if axis % rank == fact.axis:
            classes = classes[slice(start, stop, step)]
    return _part(fact, node, classes)


@rule("Gather")
def _gather(node: Node, facts: Facts) -> Fact:
    fact, rank = facts.of(node.inputs[0]), rank_of(node.inputs[0])
    indices, index_rank = facts.numbers(node.inputs[1]), rank_of(node.inputs[1])
    if fact.axis is None or rank is None or indices is None or index_rank is None:
        return fact.through(node, axis=None)
    axis = attribute(node, "axis") % rank
    if axis != fact.axis:
        moved = fact.axis + (index_rank - 1 if axis < fact.axis else 0)
        return fact.through(node, axis=moved)
    if not fact.classes:
        return fact.through(node, axis=None)
    chosen = tuple(fact.classes[index] for index in indices)
    part = _part(fact, node, chosen)
    return part if index_rank == 1 else part.changed(axis=None)


def _part(fact: Fact, node: Node, classes: tuple[int, ...]) -> Fact:
    """Some of the classes: one alone is a probability and no distribution any more."""
    if classes == fact.classes:
        return fact.through(node)
    return fact.through(node, kind="probabilities", classes=classes)
