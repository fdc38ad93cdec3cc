"""Activations, some of which a bias comes before."""

from __future__ import annotations

from typing import Any

import numpy as np

from pyhades.ir.builder import GraphBuilder
from pyhades.ir.graph import Value
from pyhades.onnx.translate import MICROSOFT, OnnxNode, onnx_op

_PARAMETERS = {
    "Relu": (),
    "Sigmoid": (),
    "Tanh": (),
    "Softplus": (),
    "Softsign": (),
    "HardSwish": (),
    "Gelu": (),
    "LeakyRelu": (("alpha", 0.01),),
    "Elu": (("alpha", 1.0),),
    "ThresholdedRelu": (("alpha", 1.0),),
    "HardSigmoid": (("alpha", 0.2), ("beta", 0.5)),
}
"""Operators that may finish another, with what their numbers are called."""


def activated(node: OnnxNode, graph: GraphBuilder, x: Value, name: str, given: list[Any]) -> Value:
    """``x`` after the activation that the node names, with its numbers in order."""
    if not name:
        return x
    if name == "Clip":
        dtype = x.type.dtype if x.type is not None else node.dtype(0)
        bounds = [graph.constant(bound, dtype) for bound in given[:2]]
        return graph.one("Clip", x, *bounds)
    if name not in _PARAMETERS:
        raise node.unsupported(f"activation {name!r} is not known")
    known = _PARAMETERS[name]
    attributes = {key: default for key, default in known}
    attributes |= {key: value for (key, _), value in zip(known, given, strict=False)}
    return graph.one(name, x, **attributes)


def biased(node: OnnxNode, graph: GraphBuilder, index: int = 1) -> Value:
    """The first input, plus the bias if there is one."""
    x, bias = node.input(0), node.optional(index)
    return x if bias is None else graph.one("Add", x, bias)


@onnx_op("Gelu", "BiasGelu", since=1, domain=MICROSOFT)
def gelu(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """By erf."""
    return [graph.one("Gelu", biased(node, graph))]


@onnx_op("FastGelu", since=1, domain=MICROSOFT)
def fast_gelu(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """By tanh."""
    return [graph.one("Gelu", biased(node, graph), approximate="tanh")]


@onnx_op("QuickGelu", since=1, domain=MICROSOFT)
def quick_gelu(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """A gate of one scaled sigmoid."""
    return [graph.one("Swish", node.input(0), alpha=node.attributes.get("alpha", 1.702))]


@onnx_op("BiasAdd", since=1, domain=MICROSOFT)
def bias_add(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """A bias, then a residual."""
    return [graph.one("Add", biased(node, graph), node.input(2))]


@onnx_op("BiasSplitGelu", since=1, domain=MICROSOFT)
def bias_split_gelu(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """The first half times Gelu of the second."""
    left, right = graph.emit("Split", [biased(node, graph)], {"axis": -1, "num_outputs": 2}, 2)
    return [graph.one("Mul", left, graph.one("Gelu", right))]


@onnx_op("BiasDropout", since=1, domain=MICROSOFT)
def bias_dropout(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """Inference: a bias and a residual."""
    if len(node.output_names) > 1:
        raise node.unsupported("its mask is of use in training only")
    y, residual = biased(node, graph), node.optional(2)
    return [y if residual is None else graph.one("Add", y, residual)]


@onnx_op("BiasSoftmax", since=1, domain=MICROSOFT)
def bias_softmax(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """A bias, then a softmax over all axes from ``axis`` on, as if they were one."""
    x, axis, shape = biased(node, graph), node.attributes.get("axis", 1), node.shape(0)
    if shape is not None and axis in (-1, len(shape) - 1):
        return [graph.one("Softmax", x, axis=-1)]
    matrix = graph.one("Softmax", graph.one("Flatten", x, axis=axis), axis=-1)
    return [graph.one("Reshape", matrix, graph.one("Shape", x))]


def square(graph: GraphBuilder, x: Value) -> Value:
    """X * x."""
    return graph.one("Mul", x, x)


def zero_like(graph: GraphBuilder, x: Value) -> Value:
    """A scalar zero of the dtype of ``x``."""
    return graph.constant(0, x.type.dtype if x.type is not None else np.float32)
