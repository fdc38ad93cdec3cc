"""Operators that put a tensor together from pieces: Concat and Roll."""

from __future__ import annotations

from itertools import product

from pyhades.compiler.lowering import Lowering, lowers
from pyhades.ir.graph import Node
from pyhades.ir.registry import attribute
from pyhades.ir.shapes import shape


@lowers("Concat")
def lower_concat(lowering: Lowering, node: Node) -> None:
    """A copy per input, except of those that were stored in place."""
    value = node.outputs[0]
    axis = attribute(node, "axis") % len(shape(value))
    views = [lowering.view(v) for v in node.inputs if v is not None]
    largest = max(views, key=lambda view: view.size)
    y = lowering.output(value, largest.order())
    start = 0
    for view in views:
        target = y.slice(axis, start, view.shape[axis])
        start += view.shape[axis]
        if not view.is_same(target):
            lowering.copy(view, target)


@lowers("Roll")
def lower_roll(lowering: Lowering, node: Node) -> None:
    """One copy per quadrant."""
    x = lowering.input(node, 0)
    y = lowering.output(node.outputs[0], x.order())
    axes = list(attribute(node, "axes"))
    pieces = []
    for axis, shift in zip(axes, attribute(node, "shifts"), strict=True):
        extent = x.shape[axis]
        shift %= extent
        # (from, to, count): what wraps around, and the rest.
        pieces.append([(extent - shift, 0, shift), (0, shift, extent - shift)])
    for quadrant in product(*pieces):
        source, target = x, y
        for axis, (begin, end, count) in zip(axes, quadrant, strict=True):
            source, target = source.slice(axis, begin, count), target.slice(axis, end, count)
        lowering.copy(source, target)
