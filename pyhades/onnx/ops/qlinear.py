"""Operators from integers to integers: the float operator between a way back and a way there."""

from __future__ import annotations

from typing import Any

import numpy as np

from pyhades.ir.builder import GraphBuilder
from pyhades.ir.graph import Value
from pyhades.onnx.ops.on_grid import (
    channels_first,
    channels_last,
    dequantized,
    dynamically_quantized,
    in_float32,
    quantized,
    rank,
)
from pyhades.onnx.translate import MICROSOFT, OnnxNode, onnx_op, translator


def _float_operator(
    node: OnnxNode, graph: GraphBuilder, op: str, inputs: list[Value | None], **changes: Any
) -> Value:
    """``op`` as the IR has it, with the attributes of ``node``; None takes one away."""
    attributes = {key: value for key, value in node.attributes.items() if key not in changes}
    attributes |= {key: value for key, value in changes.items() if value is not None}
    return graph.emit(op, inputs, attributes)[0]


def _bias(node: OnnxNode, graph: GraphBuilder, index: int, scales: tuple[int, int]) -> Value | None:
    """int32 on the grid of the products: its scale is the product of theirs."""
    bias = node.optional(index)
    if bias is None:
        return None
    first, second = (in_float32(graph, node.input(i)) for i in scales)
    # As vectors both: a product of [1] and [] would have the rank of neither.
    vectors = (graph.one("Reshape", value, graph.integers([-1])) for value in (first, second))
    scale = graph.one("Mul", *vectors)
    return graph.one("DequantizeLinear", bias, scale, axis=0, storage="int32")


@onnx_op("QLinearConv", since=10)
@onnx_op("QLinearConv", since=1, domain=MICROSOFT)
def qlinear_conv(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """Image, weight and result with their grids, then an int32 bias; channels may come last."""
    last = node.attributes.get("channels_last", 0)
    x, w = dequantized(node, graph, 0), dequantized(node, graph, 3, axis=0)
    x = channels_first(node, graph, x) if last else x
    inputs = [x, w, _bias(node, graph, 8, (1, 4))]
    y = _float_operator(node, graph, "Conv", inputs, channels_last=None)
    y = channels_last(node, graph, y) if last else y
    return [quantized(node, graph, y, 6)]


@onnx_op("QLinearMatMul", since=10)
def qlinear_matmul(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """a, b and y; a may have a scale per row, b one per column."""
    a = dequantized(node, graph, 0, axis=max(rank(node, 0) - 2, 0))
    b = dequantized(node, graph, 3, axis=rank(node, 3) - 1)
    y = graph.one("MatMul", a, b)
    return [quantized(node, graph, y, 6)]


@onnx_op("QGemm", since=1, domain=MICROSOFT)
def qgemm(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """A Gemm; without a scale for the result, that is float32."""
    transposed = node.attributes.get("transB", 0)
    a, b = dequantized(node, graph, 0), dequantized(node, graph, 3, axis=0 if transposed else 1)
    alpha = float(node.attributes.get("alpha", 1.0))
    c = _bias(node, graph, 6, (1, 4))
    if c is not None and alpha != 1.0:
        c = graph.one("Mul", c, graph.constant(alpha, np.float32))
    y = _float_operator(node, graph, "Gemm", [a, b, c])
    return [y if node.optional(7) is None else quantized(node, graph, y, 7)]


def _binary(op: str) -> Any:
    def translate(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
        """Two operands and their result, each with scale and zero point; they broadcast."""
        a, b = dequantized(node, graph, 0), dequantized(node, graph, 3)
        return [quantized(node, graph, graph.one(op, a, b), 6, like=0)]

    return translate


for _op in ("Add", "Mul"):
    onnx_op(f"QLinear{_op}", since=1, domain=MICROSOFT)(_binary(_op))


@onnx_op("QLinearSigmoid", "QLinearLeakyRelu", since=1, domain=MICROSOFT)
def qlinear_activation(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """A tensor and its result, each with scale and zero point."""
    x = dequantized(node, graph, 0)
    y = _float_operator(node, graph, node.op.removeprefix("QLinear"), [x])
    return [quantized(node, graph, y, 3, like=0)]


@onnx_op("QLinearAveragePool", "QLinearGlobalAveragePool", since=1, domain=MICROSOFT)
def qlinear_pool(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """A tensor and its result, each with scale and zero point; channels may come last."""
    last = node.attributes.get("channels_last", 0)
    x = dequantized(node, graph, 0)
    x = channels_first(node, graph, x) if last else x
    op = node.op.removeprefix("QLinear")
    y = _float_operator(node, graph, op, [x], channels_last=None)
    y = channels_last(node, graph, y) if last else y
    return [quantized(node, graph, y, 3, like=0)]


@onnx_op("QLinearSoftmax", since=1, domain=MICROSOFT)
def qlinear_softmax(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """A tensor and its result, each with its grid; ``opset`` says which Softmax is meant."""
    x = dequantized(node, graph, 0)
    opset = node.attributes.get("opset", 13)
    attributes = {"axis": node.attributes.get("axis", -1 if opset >= 13 else 1)}
    softmax = OnnxNode("Softmax", node.name, [x], node.output_names, attributes, opset, node.where)
    translate = translator("Softmax", opset)
    assert translate is not None
    (y,) = translate(softmax, graph)
    return [quantized(node, graph, y, 3, like=0)]


@onnx_op("QLinearReduceMean", since=1, domain=MICROSOFT)
def qlinear_reduce_mean(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """A tensor and its result, each with scale and zero point; axes are an attribute."""
    x = dequantized(node, graph, 0)
    axes = node.attributes.get("axes")
    along = graph.integers(axes) if axes else None
    y = graph.one("ReduceMean", x, along, keepdims=node.attributes.get("keepdims", 1))
    return [quantized(node, graph, y, 3, like=0)]


@onnx_op("QLinearConcat", since=1, domain=MICROSOFT)
def qlinear_concat(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """Scale and zero point of y, then any number of inputs with theirs."""
    parts = [dequantized(node, graph, index) for index in range(2, len(node.inputs), 3)]
    y = _float_operator(node, graph, "Concat", [*parts])
    return [quantized(node, graph, y, 0)]


@onnx_op("QLinearWhere", since=1, domain=MICROSOFT)
def qlinear_where(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """A condition, then x, y and the result."""
    x, y = dequantized(node, graph, 1), dequantized(node, graph, 4)
    return [quantized(node, graph, graph.one("Where", node.input(0), x, y), 7)]


@onnx_op("NhwcMaxPool", since=1, domain=MICROSOFT)
def nhwc_max_pool(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """MaxPool of integers whose channels come last."""
    x = channels_first(node, graph, node.input(0))
    y = _float_operator(node, graph, "MaxPool", [x])
    return [channels_last(node, graph, y)]


@onnx_op("MatMulIntegerToFloat", since=1, domain=MICROSOFT)
def matmul_integer_to_float(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """Two matrices of integers, scales, zero points and a bias of floats; float32."""
    operands = []
    for index in (0, 1):
        along = rank(node, index) - (2 if index == 0 else 1)
        scale, zero = in_float32(graph, node.input(2 + index)), node.optional(4 + index)
        grid = {"axis": max(along, 0), "storage": node.element(index).name}
        operands += graph.emit("DequantizeLinear", [node.input(index), scale, zero], grid)
    y = graph.one("MatMul", *operands)
    bias = node.optional(6)
    return [y if bias is None else graph.one("Add", y, bias)]


@onnx_op("DynamicQuantizeMatMul", since=1, domain=MICROSOFT)
def dynamic_quantize_matmul(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """Floats, put on a grid as they come, times integers with scale and zero point, plus a bias."""
    q, scale, zero = dynamically_quantized(graph, node.input(0))
    sums = graph.one("MatMulInteger", q, node.input(1), zero, node.optional(3))
    scales = graph.one("Mul", scale, in_float32(graph, node.input(2)))
    y = graph.one("Mul", graph.one("Cast", sums, to=np.dtype(np.float32)), scales)
    bias = node.optional(4)
    return [y if bias is None else graph.one("Add", y, bias)]
