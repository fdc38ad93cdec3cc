"""A concatenation of the two halves of one tensor, exchanged, is a rotation."""

from __future__ import annotations

from pyhades.ir.graph import Graph, Node, Value
from pyhades.ir.registry import attribute
from pyhades.ir.shapes import shape
from pyhades.passes.rewriting import Rewrite


def fuse_roll(graph: Graph) -> Graph:
    """Recognise Roll (the cyclic shift of windows), and merge rolls of several axes."""
    rewrite = Rewrite(graph)
    for node in rewrite.nodes:
        if node.op != "Concat" or len(node.inputs) != 2:
            continue
        rank = len(shape(node.outputs[0]))
        axis = attribute(node, "axis") % rank
        tail, head = (rewrite.private(value, "Slice") for value in node.inputs)
        first, second = _range(tail, axis), _range(head, axis)
        if tail is None or head is None or first is None or second is None:
            continue
        x = rewrite.inputs(tail)[0]
        if x is None or rewrite.inputs(head)[0] is not x:
            continue
        if second[0] != 0 or first[0] != second[1] or first[1] != shape(x)[axis]:
            continue
        _replace(rewrite, node, x, axis, -first[0], {tail, head})
    return rewrite.finish()


def _replace(
    rewrite: Rewrite, node: Node, x: Value, axis: int, shift: int, slices: set[Node]
) -> None:
    """Roll ``x``, together with an earlier Roll that only the two slices read."""
    inner = rewrite.producer(x, "Roll")
    axes, shifts = [axis], [shift]
    if inner is not None and rewrite.readers[x] == len(slices) and inner.inputs[0] is not None:
        axes, shifts = [*attribute(inner, "axes"), axis], [*attribute(inner, "shifts"), shift]
        x = rewrite.resolve(inner.inputs[0])
    rewrite.replace(node, "Roll", [x], axes=axes, shifts=shifts)


def _range(node: Node | None, axis: int) -> tuple[int, int] | None:
    """Start and stop of a slice of step 1 along ``axis`` alone."""
    if node is None:
        return None
    x = node.inputs[0]
    data = [None if value is None else value.data for value in (*node.inputs[1:], None, None)][:4]
    starts, stops, axes, steps = data
    if x is None or starts is None or stops is None or starts.size != 1:
        return None
    rank = len(shape(x))
    if (axes is None and axis != 0) or (axes is not None and int(axes[0]) % rank != axis):
        return None
    if steps is not None and int(steps[0]) != 1:
        return None
    start, stop, _ = slice(int(starts[0]), int(stops[0])).indices(shape(x)[axis])
    return start, stop
