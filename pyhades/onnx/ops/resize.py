"""Resize and its predecessor Upsample."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pyhades.errors import ModelError
from pyhades.ir.builder import GraphBuilder
from pyhades.ir.graph import Value
from pyhades.onnx.translate import OnnxNode, as_it_is, onnx_op


@onnx_op("Upsample", since=7)
def upsample_7(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """The scales were an attribute."""
    scales = graph.constant(node.attributes.get("scales", []), np.float32)
    return _asymmetric(replace(node, inputs=[node.input(0), scales]), graph, "floor")


@onnx_op("Upsample", since=9)
def upsample_9(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """Resize with asymmetric coordinates; deprecated by opset 10."""
    if node.opset > 9:
        raise ModelError(f"{node.where}: Upsample ended with opset 9, the file says {node.opset}")
    return _asymmetric(node, graph, "floor")


@onnx_op("Resize", since=10)
def resize_10(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """Coordinates were asymmetric; nearest meant floor, or ceil along axes that shrink."""
    if node.attributes.get("mode", "nearest") != "nearest":
        return _asymmetric(node, graph, "floor")
    scales = node.input(1).data
    if scales is None:
        raise node.unsupported("scales are computed; re-export with opset 11 or newer")
    grows, shrinks = bool((scales > 1).any()), bool((scales < 1).any())
    if grows and shrinks:
        raise node.unsupported("some axes grow and some shrink; re-export with opset 11 or newer")
    return _asymmetric(node, graph, "ceil" if shrinks else "floor")


def _asymmetric(node: OnnxNode, graph: GraphBuilder, nearest_mode: str) -> list[Value]:
    mode = node.attributes.get("mode", "nearest")
    attributes = {
        "mode": "linear" if mode == "bilinear" else mode,
        "coordinate_transformation_mode": "asymmetric",
        "nearest_mode": nearest_mode,
    }
    return graph.emit("Resize", [node.input(0), None, node.input(1)], attributes)


@onnx_op("Resize", since=11)
def resize(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """In opset 11 roi and scales were required; an empty one stands for none, then as now."""
    optional = [node.optional(index) for index in (1, 2, 3)]
    inputs = [None if value is not None and _is_empty(value) else value for value in optional]
    rest = replace(node, inputs=[node.input(0), *inputs])
    return as_it_is(rest, graph)


def _is_empty(value: Value) -> bool:
    return value.data is not None and value.data.size == 0
