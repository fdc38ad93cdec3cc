"""Fourier transforms, windows, filter banks."""

from __future__ import annotations

import math

import numpy as np

from pyhades.ir.builder import GraphBuilder
from pyhades.ir.graph import Value
from pyhades.onnx.elements import dtype_of
from pyhades.onnx.translate import OnnxNode, onnx_op, same

same("STFT", since=17)
same("DFT", since=20)


@onnx_op("DFT", since=17)
def dft_17(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """The axis was an attribute."""
    attributes = dict(node.attributes)
    axis = graph.constant(attributes.pop("axis", 1), np.int64)
    return graph.emit("DFT", [node.input(0), node.optional(1), axis], attributes)


@onnx_op("MelWeightMatrix", since=17)
def mel_weight_matrix(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """The dtype is a data type number."""
    number = node.attributes.get("output_datatype", 1)
    dtype = dtype_of(number, f"{node.where}: output_datatype")
    return graph.emit("MelWeightMatrix", node.inputs, {"output_datatype": dtype})


_COSINES = {
    "HannWindow": (0.5, -0.5),
    "HammingWindow": (25 / 46, -21 / 46),
    "BlackmanWindow": (0.42, -0.5, 0.08),
}
"""Windows are sums of cosines; these are the weights of none, one and two periods."""


@onnx_op(*_COSINES, since=17)
def window(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """In float64, rounded once; a symmetric window is a periodic one that is one shorter."""
    dtype = dtype_of(node.attributes.get("output_datatype", 1), f"{node.where}: output_datatype")
    size = graph.one("Cast", node.input(0), to=np.dtype(np.int64))

    def number(value: float, kind: type = np.float64) -> Value:
        return graph.constant(value, kind)

    steps = graph.one("Range", number(0, np.int64), size, number(1, np.int64))
    period = size
    if not node.attributes.get("periodic", 1):
        period = graph.one("Max", graph.one("Sub", size, number(1, np.int64)), number(1, np.int64))
    wide = np.dtype(np.float64)
    share = graph.one("Div", *(graph.one("Cast", x, to=wide) for x in (steps, period)))
    constant, *weights = _COSINES[node.op]
    total = number(constant)
    for periods, weight in enumerate(weights, start=1):
        angle = graph.one("Mul", share, number(2 * math.pi * periods))
        wave = graph.one("Mul", graph.one("Cos", angle), number(weight))
        total = graph.one("Add", wave, total)
    return [graph.one("Cast", total, to=dtype)]
