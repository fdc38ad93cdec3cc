"""Write a graph with grids as an ONNX file of QuantizeLinear and DequantizeLinear."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pyhades.errors import ArgumentError, ModelError, PyhadesError
from pyhades.ir.copying import clone
from pyhades.ir.graph import Graph, Node, TensorType, Value
from pyhades.ir.inference import constant
from pyhades.ir.quantization import Quantization
from pyhades.ir.registry import attribute
from pyhades.numerics.quantization import kept_as
from pyhades.onnx.wire import Chunks
from pyhades.onnx.writer import onnx_chunks

OPSETS = (19, 21, 22, 23, 24, 25)
"""Tried in this order: the oldest that spells every operator is read by most."""


def quantised_chunks(graph: Graph, metadata: Mapping[str, str] | None = None) -> Chunks:
    """The bytes of ``graph`` as an ONNX model, in pieces.

    A FakeQuantize becomes a QuantizeLinear and a DequantizeLinear; a constant whose type names a
    grid becomes its integers and a DequantizeLinear.

    Raises
    ------
    ArgumentError
        No opset that we know spells every operator of the graph as the IR does.
    """
    spelled = with_integers(graph)
    spelled.metadata.update(metadata or {})
    reason: PyhadesError | None = None
    for opset in OPSETS:
        try:
            return onnx_chunks(spelled, opset)
        except (ArgumentError, ModelError) as error:
            reason = error
    raise ArgumentError(f"{graph.source or graph.name}: {reason}")


def with_integers(graph: Graph) -> Graph:
    """The same graph in which grids are spelled as integers and their way back to numbers."""
    result = clone(graph)
    nodes: list[Node] = []
    real: dict[Value, Value] = {}
    for node in result.nodes:
        for index, value in enumerate(node.inputs):
            grid = None if value is None or value.type is None else value.type.quantization
            if value is None or value.data is None or grid is None:
                continue
            if value not in real:
                real[value] = Value(value.name, TensorType(value.type.dtype, value.data.shape))  # type: ignore[union-attr]
                nodes.append(_dequantised(value, grid, real[value]))
            node.inputs[index] = real[value]
        nodes += _pair(node) if node.op == "FakeQuantize" else [node]
    result.nodes = nodes
    return result


def _dequantised(value: Value, grid: Quantization, result: Value) -> Node:
    """A constant as integers; what reads it reads them multiplied by the scale."""
    assert value.data is not None
    integers = constant(f"{value.name}.integers", grid.integers(value.data))
    inputs: list[Value | None] = [integers, constant(f"{value.name}.scale", grid.scale)]
    if grid.zero_point is not None:
        inputs.append(constant(f"{value.name}.zero_point", grid.zero_point))
    attributes = {"axis": grid.axis or 0}
    if grid.block_size:
        attributes["block_size"] = grid.block_size
    return Node("DequantizeLinear", inputs, [result], attributes, f"{value.name}.real")


def _pair(node: Node) -> list[Node]:
    """To integers and back."""
    result, scale, zero = node.outputs[0], node.inputs[1], node.input(2)
    storage = attribute(node, "storage")
    if zero is None:
        # Their type is that of the zero point, which is uint8 where there is none.
        assert scale is not None and scale.type is not None
        shape = () if scale.data is None else scale.data.shape
        zero = constant(f"{result.name}.zero_point", np.zeros(shape, kept_as(storage)))
    grid = {"axis": attribute(node, "axis")}
    if attribute(node, "block_size"):
        grid["block_size"] = attribute(node, "block_size")
    integers = Value(f"{result.name}.integers")
    to = Node("QuantizeLinear", [node.inputs[0], scale, zero], [integers], grid, integers.name)
    back = Node("DequantizeLinear", [integers, scale, zero], [result], dict(grid), result.name)
    return [to, back]
