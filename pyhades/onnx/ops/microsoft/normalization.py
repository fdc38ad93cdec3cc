"""Normalisations of a sum, and of groups of channels in the last axis."""

from __future__ import annotations

from typing import Any

from pyhades.ir.builder import GraphBuilder
from pyhades.ir.graph import Value
from pyhades.onnx.translate import MICROSOFT, OnnxNode, onnx_op


def _sum(graph: GraphBuilder, *terms: Value | None) -> Value:
    first, *rest = (term for term in terms if term is not None)
    for term in rest:
        first = graph.one("Add", first, term)
    return first


def _statistics_are_asked(node: OnnxNode) -> bool:
    return any(node.output_names[1:3])


@onnx_op("SkipLayerNormalization", since=1, domain=MICROSOFT)
def skip_layer_norm(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """LayerNormalization of input + skip + bias; the sum is the fourth output."""
    total = _sum(graph, node.input(0), node.input(1), node.optional(4))
    attributes = {"axis": -1, "epsilon": node.attributes.get("epsilon", 1e-12)}
    inputs = [total, node.input(2), node.optional(3)]
    count = 3 if _statistics_are_asked(node) else 1
    results = graph.emit("LayerNormalization", inputs, attributes, count)
    return _with_sum(node, results, total)


@onnx_op("SkipSimplifiedLayerNormalization", since=1, domain=MICROSOFT)
def skip_rms_norm(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """RMSNormalization of input + skip + bias; the sum is the fourth output."""
    if _statistics_are_asked(node):
        raise node.unsupported("its statistics are of use in training only")
    total = _sum(graph, node.input(0), node.input(1), node.optional(3))
    epsilon = node.attributes.get("epsilon", 1e-12)
    y = graph.one("RMSNormalization", total, node.input(2), axis=-1, epsilon=epsilon)
    return _with_sum(node, [y], total)


def _with_sum(node: OnnxNode, results: list[Value], total: Value) -> list[Value]:
    """The outputs that the node has; those without a name may be anything."""
    filled = [*results, *[results[0]] * (3 - len(results)), total]
    return filled[: len(node.output_names)]


@onnx_op("SimplifiedLayerNormalization", since=1)
@onnx_op("SimplifiedLayerNormalization", since=1, domain=MICROSOFT)
def rms_norm(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """The first name of RMSNormalization, which onnxruntime writes in the domain of ONNX."""
    if len(node.output_names) > 1:
        raise node.unsupported("its statistics are of use in training only")
    names = ("axis", "epsilon")
    attributes = {name: node.attributes[name] for name in names if name in node.attributes}
    return graph.emit("RMSNormalization", [node.input(0), node.input(1)], attributes)


@onnx_op("GroupNorm", since=1, domain=MICROSOFT)
def group_norm(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """Groups of channels, then SiLU if asked for."""
    return [_normalized(node, graph, node.input(0))]


@onnx_op("SkipGroupNorm", since=1, domain=MICROSOFT)
def skip_group_norm(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """:func:`group_norm` of x + skip + bias; the sum is the second output."""
    x, skip, bias = node.input(0), node.input(3), node.optional(4)
    channels_last, shape = node.attributes.get("channels_last", 1), node.shape(3)
    if shape is not None and len(shape) == 2:
        skip = graph.one("Unsqueeze", skip, graph.integers([1, 2] if channels_last else [2, 3]))
    if bias is not None and not channels_last:
        bias = graph.one("Unsqueeze", bias, graph.integers([1, 2]))
    total = _sum(graph, x, skip, bias)
    return [_normalized(node, graph, total), total][: len(node.output_names)]


def _normalized(node: OnnxNode, graph: GraphBuilder, x: Value) -> Value:
    channels_last = node.attributes.get("channels_last", 1)
    attributes: dict[str, Any] = {
        "num_groups": node.attributes.get("groups"),
        "epsilon": node.attributes.get("epsilon", 1e-5),
    }
    if channels_last:
        x = graph.one("Transpose", x, perm=[0, 3, 1, 2])
    y = graph.emit("GroupNormalization", [x, node.input(1), node.input(2)], attributes)[0]
    if node.attributes.get("activation"):
        y = graph.one("Swish", y)
    return graph.one("Transpose", y, perm=[0, 2, 3, 1]) if channels_last else y
