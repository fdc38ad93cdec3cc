"""Reductions."""

from __future__ import annotations

from pyhades.ir.builder import GraphBuilder
from pyhades.ir.graph import Value
from pyhades.onnx.translate import OnnxNode, onnx_op, same

_AXES_INPUT_SINCE = {
    "ReduceL1": 18,
    "ReduceL2": 18,
    "ReduceLogSum": 18,
    "ReduceLogSumExp": 18,
    "ReduceMax": 18,
    "ReduceMean": 18,
    "ReduceMin": 18,
    "ReduceProd": 18,
    "ReduceSum": 13,
    "ReduceSumSquare": 18,
}


@onnx_op(*_AXES_INPUT_SINCE, since=1)
def axes_as_attribute(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """``axes`` was an attribute."""
    axes = node.attributes.get("axes")
    attributes = {"keepdims": node.attributes.get("keepdims", 1)}
    inputs = [node.input(0), graph.integers(axes) if axes else None]
    return graph.emit(node.op, inputs, attributes)


for _name, _opset in _AXES_INPUT_SINCE.items():
    same(_name, since=_opset)

same("ArgMax", "ArgMin")
same("CumSum", since=11)
same("CumProd", since=26)
