"""Indexed reading and writing."""

from __future__ import annotations

from pyhades.compiler.lowering import Lowering, lowers
from pyhades.ir.graph import Node
from pyhades.ir.registry import attribute


@lowers("Gather", "GatherElements")
def lower_gather(lowering: Lowering, node: Node) -> None:
    """Gather and gather_elements along one axis."""
    data, indices = lowering.input(node, 0), lowering.input(node, 1)
    op = "gather" if node.op == "Gather" else "gather_elements"
    y = lowering.output(node.outputs[0])
    lowering.emit(op, [data, indices], [y], axis=attribute(node, "axis") % data.rank)


@lowers("GatherND")
def lower_gather_nd(lowering: Lowering, node: Node) -> None:
    """gather_nd."""
    inputs = [lowering.input(node, 0), lowering.input(node, 1)]
    y = lowering.output(node.outputs[0])
    lowering.emit("gather_nd", inputs, [y], batch_dims=attribute(node, "batch_dims"))


@lowers("ScatterND", "ScatterElements")
def lower_scatter(lowering: Lowering, node: Node) -> None:
    """scatter_nd and scatter_elements."""
    inputs = [lowering.input(node, index) for index in range(3)]
    y = lowering.output(node.outputs[0])
    reduction = attribute(node, "reduction")
    if node.op == "ScatterND":
        lowering.emit("scatter_nd", inputs, [y], reduction=reduction)
        return
    axis = attribute(node, "axis") % inputs[0].rank
    lowering.emit("scatter_elements", inputs, [y], axis=axis, reduction=reduction)
