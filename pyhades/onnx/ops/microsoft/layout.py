"""Movement and ranges."""

from __future__ import annotations

from pyhades.ir.builder import GraphBuilder
from pyhades.ir.graph import Value
from pyhades.onnx.translate import MICROSOFT, OnnxNode, onnx_op, same

same("GatherND", "Pad", "Trilu", domain=MICROSOFT)


@onnx_op("ExpandDims", since=1, domain=MICROSOFT)
def expand_dims(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """One axis, a scalar."""
    axis = graph.one("Reshape", node.input(1), graph.integers([1]))
    axis = graph.one("Cast", axis, to="int64")
    return [graph.one("Unsqueeze", node.input(0), axis)]


@onnx_op("Range", since=1, domain=MICROSOFT)
def range_(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """The step may be left out."""
    step = node.optional(2)
    if step is None:
        step = graph.constant(1, node.dtype(0))
    return [graph.one("Range", node.input(0), node.input(1), step)]
