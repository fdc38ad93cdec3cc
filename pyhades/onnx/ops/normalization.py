"""Normalisation and softmax."""

from __future__ import annotations

import numpy as np

from pyhades.errors import ModelError
from pyhades.ir.builder import GraphBuilder
from pyhades.ir.graph import Value
from pyhades.onnx.translate import OnnxNode, onnx_op, same

same("LpNormalization")
same("InstanceNormalization", since=6)
same("LayerNormalization")  # of ONNX since 17; onnxruntime writes it into older files
same("GroupNormalization", since=21)
same("RMSNormalization", since=23)


@onnx_op("BatchNormalization", since=7)
def batch_normalization(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """Only training has more than one output; momentum matters in training only."""
    if node.attributes.get("training_mode") or len(node.output_names) > 1:
        raise node.unsupported(
            "BatchNormalization is in training mode; export the model in evaluation mode"
        )
    if node.attributes.get("spatial", 1) != 1:
        raise node.unsupported("BatchNormalization per pixel (spatial 0) ended with opset 8")
    attributes = {"epsilon": node.attributes.get("epsilon", 1e-5)}
    return graph.emit("BatchNormalization", node.inputs, attributes)


@onnx_op("GroupNormalization", since=18)
def group_normalization_18(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """Scale and bias were per group; repeat them per channel."""
    groups, shape = node.attributes.get("num_groups"), node.shape(0)
    if shape is None or len(shape) < 2 or not isinstance(shape[1], int):
        raise node.unsupported("the number of channels is unknown; export with a fixed shape")
    if not groups or shape[1] % groups:
        raise ModelError(f"{node.where}: {shape[1]} channels do not divide into {groups} groups")
    repeats = shape[1] // groups
    vectors = []
    for index in (1, 2):
        column = graph.one("Unsqueeze", node.input(index), graph.integers([1]))
        table = graph.one("Expand", column, graph.integers([groups, repeats]))
        vectors.append(graph.one("Reshape", table, graph.integers([-1])))
    return graph.emit("GroupNormalization", [node.input(0), *vectors], node.attributes)


_TINY_DEVIATION = 1e-9


@onnx_op("MeanVarianceNormalization", since=9)
def mean_variance_normalization(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """(x - mean) / (deviation + a tiny number), over ``axes`` together."""
    x, axes = node.input(0), graph.integers(node.attributes.get("axes", [0, 2, 3]))
    centred = graph.one("Sub", x, graph.one("ReduceMean", x, axes, keepdims=1))
    square = graph.one("Mul", centred, centred)
    deviation = graph.one("Sqrt", graph.one("ReduceMean", square, axes, keepdims=1))
    tiny = graph.constant(_TINY_DEVIATION, node.dtype(0))
    return [graph.one("Div", centred, graph.one("Add", deviation, tiny))]


@onnx_op("Softmax", "LogSoftmax", since=1)
def softmax_1(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """Normalised over all axes from ``axis`` (default 1) on, as if they were one."""
    x, axis, shape = node.input(0), node.attributes.get("axis", 1), node.shape(0)
    if shape is not None and axis in (-1, len(shape) - 1):
        return [graph.one(node.op, x, axis=-1)]
    matrix = graph.one("Flatten", x, axis=axis)
    static = shape is not None and all(isinstance(dim, int) for dim in shape)
    back = graph.constant(shape, np.int64) if static else graph.one("Shape", x)
    return [graph.one("Reshape", graph.one(node.op, matrix, axis=-1), back)]


same("LogSoftmax", "Softmax", since=13)
