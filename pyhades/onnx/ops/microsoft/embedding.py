"""Sums of embeddings, normalised."""

from __future__ import annotations

import numpy as np

from pyhades.ir.builder import GraphBuilder
from pyhades.ir.graph import Value
from pyhades.onnx.translate import MICROSOFT, OnnxNode, onnx_op


@onnx_op("EmbedLayerNormalization", since=1, domain=MICROSOFT)
def embed_layer_norm(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """Words, positions and segments; then how many tokens a mask keeps, and the sum."""
    ids, segments = node.input(0), node.optional(1)
    total = graph.one("Add", graph.one("Gather", node.input(2), ids), _positions(node, graph))
    if segments is not None:
        total = graph.one("Add", total, graph.one("Gather", node.input(4), segments))
    attributes = {"axis": -1, "epsilon": node.attributes.get("epsilon", 1e-12)}
    y = graph.emit("LayerNormalization", [total, node.input(5), node.input(6)], attributes)[0]
    results = [y]
    if len(node.output_names) > 1:
        results.append(_kept(node, graph))
    return [*results, total][: len(node.output_names)]


def _positions(node: OnnxNode, graph: GraphBuilder) -> Value:
    positions = node.optional(8)
    if positions is None:
        length = graph.one("Gather", graph.one("Shape", node.input(0)), graph.constant(1, np.int64))
        bounds = (graph.constant(0, np.int64), length, graph.constant(1, np.int64))
        positions = graph.one("Range", *bounds)
    return graph.one("Gather", node.input(3), positions)


def _kept(node: OnnxNode, graph: GraphBuilder) -> Value:
    mask = node.optional(7)
    if mask is None:
        ids = graph.one("Cast", node.input(0), to=np.dtype(np.int32))
        mask = graph.one("Mul", ids, graph.constant(0, np.int32))
    return graph.one("ReduceSum", mask, graph.integers([1]), keepdims=0)
