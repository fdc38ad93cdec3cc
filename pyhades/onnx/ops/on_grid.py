"""What translators of quantised operators are made of: scales, zero points, and who reads them."""

from __future__ import annotations

from typing import Any

import numpy as np

from pyhades.ir.builder import GraphBuilder
from pyhades.ir.graph import Value
from pyhades.onnx.elements import ELEMENTS, Element
from pyhades.onnx.translate import OnnxNode

_BY_NAME = {element.name: element for element in ELEMENTS.values()}

_FLOAT32 = np.dtype(np.float32)


def named(name: str) -> Element:
    """The element type called ``name``."""
    return _BY_NAME[name]


def in_float32(graph: GraphBuilder, value: Value) -> Value:
    """``value`` in float32, in which all grids are computed."""
    if value.type is not None and value.type.dtype == _FLOAT32:
        return value
    return graph.one("Cast", value, to=_FLOAT32)


def dequantized(node: OnnxNode, graph: GraphBuilder, index: int, axis: int = 1) -> Value:
    """What input ``index`` stands for; its scale and zero point follow it."""
    first = index + 1
    return graph.one(
        "DequantizeLinear",
        node.input(index),
        in_float32(graph, node.input(first)),
        node.optional(first + 1),
        axis=axis,
        storage=node.element(index).name,
    )


def quantized(
    node: OnnxNode, graph: GraphBuilder, y: Value, scale: int, like: int | None = None
) -> Value:
    """Numbers as the integers that the scale at input ``scale`` and the zero point after it say.

    Where there is no zero point, the integers are of the type of input ``like``.
    """
    zero = node.optional(scale + 1)
    if zero is not None:
        storage = node.element(scale + 1)
    else:
        storage = named("uint8") if like is None else node.element(like)
    grid: dict[str, Any] = {"storage": storage.name}
    inputs = [y, in_float32(graph, node.input(scale)), zero]
    q = graph.emit("QuantizeLinear", inputs, grid)[0]
    node.elements.mark(q, storage)
    return q


def dynamically_quantized(graph: GraphBuilder, x: Value) -> tuple[Value, Value, Value]:
    """Integers, scale and zero point of ``x`` on the grid that its numbers ask for."""
    zero = graph.constant(0, _FLOAT32)
    least = graph.one("Min", graph.one("ReduceMin", x, keepdims=0), zero)
    greatest = graph.one("Max", graph.one("ReduceMax", x, keepdims=0), zero)
    span = graph.one("Sub", greatest, least)
    step = graph.one("Div", span, graph.constant(255, _FLOAT32))
    # Nothing but zeros: any grid will do, and onnxruntime takes this one.
    flat = graph.one("Equal", span, zero)
    scale = graph.one("Where", flat, graph.constant(1, _FLOAT32), step)
    origin = graph.one("Round", graph.one("Neg", graph.one("Div", least, scale)))
    limited = graph.one("Clip", origin, zero, graph.constant(255, _FLOAT32))
    point = graph.one("Cast", limited, to=np.dtype(np.uint8))
    q = graph.one("QuantizeLinear", x, scale, point, storage="uint8")
    return q, scale, point


def channels_first(node: OnnxNode, graph: GraphBuilder, x: Value) -> Value:
    """An image whose channels come last, as the file has it, with its channels first."""
    return graph.one("Transpose", x, perm=[0, rank(node, 0) - 1, *range(1, rank(node, 0) - 1)])


def channels_last(node: OnnxNode, graph: GraphBuilder, x: Value) -> Value:
    """The inverse of :func:`channels_first`."""
    return graph.one("Transpose", x, perm=[0, *range(2, rank(node, 0)), 1])


def rank(node: OnnxNode, index: int) -> int:
    """The rank of input ``index``, which has to be known."""
    shape = node.shape(index)
    if shape is None:
        raise node.unsupported(f"the rank of input {index} is unknown; export with shapes")
    return len(shape)
