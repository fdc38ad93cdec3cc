"""Views that leave channels together, followed from what reads them to what was viewed."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from pyhades.ir.graph import Node, Value
from pyhades.ir.inference import constant
from pyhades.ir.registry import attribute
from pyhades.ir.shapes import shape
from pyhades.passes.rewriting import Rewrite

_RESHAPES = ("Reshape", "Flatten", "Squeeze", "Unsqueeze")


@dataclass
class Viewed:
    """``value``, whose channels are axis ``axis``, and the views of it, first to last.

    Each view comes with the axis that the channels are in its result.
    """

    value: Value
    axis: int
    views: list[tuple[Node, int]] = field(default_factory=list)
    is_private: bool = True


def follow(rewrite: Rewrite, value: Value, axis: int) -> Viewed:
    """What ``value`` is a view of, as far as its axis ``axis`` stays one axis."""
    viewed = Viewed(rewrite.resolve(value), axis)
    while True:
        node = rewrite.producer(viewed.value, "Transpose", *_RESHAPES)
        source = None if node is None else rewrite.inputs(node)[0]
        inner = None if node is None or source is None else _axis_before(node, source, viewed.axis)
        if node is None or source is None or inner is None:
            return viewed
        viewed.is_private &= rewrite.readers[viewed.value] == 1
        viewed.views.insert(0, (node, viewed.axis))
        viewed.value, viewed.axis = source, inner


def _axis_before(node: Node, source: Value, axis: int) -> int | None:
    """Which axis of ``source`` is axis ``axis`` of the view."""
    before, after = shape(source), shape(node.outputs[0])
    if node.op == "Transpose":
        return _perm(node)[axis]
    ahead = math.prod(after[:axis])
    for index, extent in enumerate(before):
        if extent == after[axis] and math.prod(before[:index]) == ahead:
            return index
    return None


def replay(rewrite: Rewrite, viewed: Viewed, x: Value, before: Node) -> Value:
    """The views of ``viewed`` of another value, which may have another number of channels."""
    channels = shape(x)[viewed.axis]
    for node, axis in viewed.views:
        name = f"{before.outputs[0].name}.{node.outputs[0].name}"
        if node.op == "Transpose":
            x = rewrite.new("Transpose", [x], name, before, **node.attributes)
            continue
        extents = _with(shape(node.outputs[0]), axis, channels)
        target = constant(f"{name}.shape", np.array(extents, np.int64))
        x = rewrite.new("Reshape", [x, target], name, before, allowzero=1)
    return x


def _perm(transpose: Node) -> list[int]:
    perm = attribute(transpose, "perm")
    return list(perm) if perm is not None else list(range(len(shape(transpose.outputs[0]))))[::-1]


def _with(extents: tuple[int, ...], axis: int, extent: int) -> tuple[int, ...]:
    return (*extents[:axis], extent, *extents[axis + 1 :])
