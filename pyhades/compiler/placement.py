"""Concat without copies: which values are stored in slices of which Concat results."""

from __future__ import annotations

from pyhades.compiler.instruction import Lowered
from pyhades.compiler.lowering import Lowering, Placement
from pyhades.compiler.view import View
from pyhades.ir.graph import Graph, Value
from pyhades.ir.registry import attribute
from pyhades.ir.shapes import shape


def lower(graph: Graph) -> Lowered:
    """Lower ``graph``, twice: the first time shows which layouts values get by themselves.

    A value goes where the Concat that reads it wants it if its producer stores it (it is not a view
    of something else), can leave gaps between pixels, and has the axis order of the Concat.
    """
    import pyhades.compiler.lower  # noqa: F401  (fills the table of rules)

    trial = Lowering(graph)
    trial.run()
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
            if value not in placements and _may_be_placed(trial, value, order):
                placements[value] = Placement(result, axis, start)
                orders[result] = order
            start += shape(value)[axis]
    return Lowering(graph, placements, orders).run()


def _may_be_placed(trial: Lowering, value: Value, order: tuple[int, ...]) -> bool:
    view = trial.stored.get(value)
    if view is None or value in trial.rigid or view.buffer.kind != "arena":
        return False
    return _same_order(view, order)


def _same_order(view: View, order: tuple[int, ...]) -> bool:
    """Whether a dense tensor of that axis order has the strides of ``view``."""
    return view.is_dense(order)
