"""Numbers to integers on a grid and back, and products of integers.

:mod:`pyhades.passes.quantization` finds out what the integers stand for.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pyhades.errors import ModelError
from pyhades.ir.builder import GraphBuilder
from pyhades.ir.graph import Value
from pyhades.onnx.elements import ELEMENTS, Element
from pyhades.onnx.ops.on_grid import dynamically_quantized, in_float32, named
from pyhades.onnx.translate import MICROSOFT, OnnxNode, onnx_op, same

_FLOAT32 = np.dtype(np.float32)


def _grid(node: OnnxNode, storage: Element) -> dict[str, Any]:
    block = node.attributes.get("block_size", 0)
    if block < 0:
        raise ModelError(f"{node.where}: block_size {block} is negative")
    axis = node.attributes.get("axis", 1)
    return {"axis": axis, "block_size": block, "storage": storage.name}


def _stated(node: OnnxNode) -> Element | None:
    """The element type that the attribute ``output_dtype`` names."""
    number = node.attributes.get("output_dtype", 0)
    if number and number not in ELEMENTS:
        raise ModelError(f"{node.where}: output_dtype {number} is no data type of ONNX")
    return ELEMENTS[number] if number else None


@onnx_op("QuantizeLinear", since=10)
@onnx_op("QuantizeLinear", since=1, domain=MICROSOFT)
def quantize_linear(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """The type of the integers is that of the zero point, else stated, else uint8."""
    zero, stated = node.optional(2), _stated(node)
    storage = stated or named("uint8")
    if zero is not None:
        storage = node.element(2)
        if stated is not None and stated != storage:
            raise ModelError(
                f"{node.where}: output_dtype is {stated.name}, the zero point is {storage.name}"
            )
    x = node.input(0)
    if node.dtype(0).kind != "f":
        x = graph.one("Cast", x, to=_FLOAT32)
    inputs = [x, in_float32(graph, node.input(1)), zero]
    (q,) = graph.emit("QuantizeLinear", inputs, _grid(node, storage))
    node.elements.mark(q, storage)
    return [q]


@onnx_op("DequantizeLinear", since=10)
@onnx_op("DequantizeLinear", since=1, domain=MICROSOFT)
def dequantize_linear(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """The result has the dtype that is stated, else that of the scale."""
    stated = _stated(node)
    to = node.dtype(1) if stated is None else stated.dtype
    inputs = [node.input(0), in_float32(graph, node.input(1)), node.optional(2)]
    return graph.emit("DequantizeLinear", inputs, {**_grid(node, node.element(0)), "to": to})


@onnx_op("DynamicQuantizeLinear", since=11)
def dynamic_quantize_linear(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """uint8 on the smallest grid that holds 0 and every number; also its scale and zero point."""
    return list(dynamically_quantized(graph, node.input(0)))


same("ConvInteger", "MatMulInteger", since=10)
