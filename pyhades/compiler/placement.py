"""Concat without copies: which values are stored in slices of which Concat results."""

from __future__ import annotations

from pyhades.compiler.instruction import Lowered
from pyhades.compiler.lowering import Lowering, Placement
from pyhades.compiler.view import View
from pyhades.ir.graph import Graph, Node, Value
from pyhades.ir.registry import attribute
from pyhades.ir.shapes import shape

_VIEWS = ("Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze")


def lower(graph: Graph) -> Lowered:
    """Lower ``graph``, twice: the first time shows which layouts values get by themselves.

    A value goes where the Concat that reads it wants it if its producer stores it, or stores what
    it is another shape of, can leave gaps between pixels, and has the axis order of the Concat.
    """
    import pyhades.compiler.lower  # noqa: F401  (fills the table of rules)

    trial = Lowering(graph)
    lowered = trial.run()
    placements: dict[Value, Placement] = {}
    orders: dict[Value, tuple[int, ...]] = {}
    for node in reversed(graph.nodes):
        # From the last backwards, so that a Concat of a Concat is placed before its parts.
        if node.op != "Concat":
            continue
        result = node.outputs[0]
        axis = attribute(node, "axis") % len(shape(result))
        order = trial.stored[result].order()
        start = 0
        for value in node.inputs:
            assert value is not None
            extent = shape(value)[axis]
            stored, views = _stored_part(trial, value)
            if stored not in placements and _may_be_placed(trial, stored, value, order):
                placement = Placement(result, axis, start, extent, views)
                if _leaves_known_gaps(trial.stored[stored], placement, trial.stored[result]):
                    placements[stored] = placement
                    orders[result] = order
            start += extent
    return Lowering(graph, placements, orders).run() if placements else lowered


def _stored_part(trial: Lowering, value: Value) -> tuple[Value, tuple[Node, ...]]:
    """What a producer stored of which ``value`` is a view, and the nodes between, last first."""
    views = []
    while value not in trial.stored:
        node = value.producer
        if node is None or node.op not in _VIEWS or node.inputs[0] is None:
            break
        views.append(node)
        value = node.inputs[0]
    return value, tuple(views)


def _may_be_placed(trial: Lowering, stored: Value, value: Value, order: tuple[int, ...]) -> bool:
    view = trial.stored.get(stored)
    if view is None or stored in trial.rigid or view.buffer.kind != "arena":
        return False
    seen = trial.viewed(value)
    return seen is not None and seen.buffer is view.buffer and seen.is_dense(order)


def _leaves_known_gaps(stored: View, placement: Placement, whole: View) -> bool:
    """Whether what was dense stays so, but for gaps between pixels and between images.

    A Concat of the value itself is known to do no more. What lies between the value and the Concat
    may move the new axis anywhere.
    """
    part = placement.inside(whole)
    if part is None or not placement.views:
        return part is not None
    moving = [axis for axis in stored.order()[::-1] if stored.shape[axis] != 1]
    ratios = [part.strides[axis] / stored.strides[axis] for axis in moving]
    return ratios[:1] in ([], [1]) and len(set(ratios[1:-1])) <= 1
