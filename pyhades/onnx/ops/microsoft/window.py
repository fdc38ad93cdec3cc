"""Convolutions and pooling: fused activations and sums, channels in the last axis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pyhades.ir.builder import GraphBuilder
from pyhades.ir.graph import Value
from pyhades.onnx.ops.microsoft.activation import activated
from pyhades.onnx.translate import MICROSOFT, OnnxNode, onnx_op

_CONV = ("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides")


def _chosen(node: OnnxNode, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: node.attributes[name] for name in names if name in node.attributes}


@onnx_op("FusedConv", since=1, domain=MICROSOFT)
def fused_conv(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """A convolution, a residual, an activation."""
    inputs = [node.input(0), node.input(1), node.optional(2)]
    y, residual = graph.emit("Conv", inputs, _chosen(node, _CONV))[0], node.optional(3)
    if residual is not None:
        y = graph.one("Add", y, residual)
    name = node.attributes.get("activation", "")
    return [activated(node, graph, y, name, node.attributes.get("activation_params", []))]


def _channels_first(
    node: OnnxNode,
    graph: GraphBuilder,
    indices: tuple[int, ...],
    translate: Callable[[OnnxNode, GraphBuilder], list[Value]],
) -> list[Value]:
    """``translate`` with some inputs turned to channels first, and its result turned back."""
    shape = node.shape(0)
    if shape is None:
        raise node.unsupported("the rank of its input is unknown; export with a fixed rank")
    axes = list(range(len(shape)))
    inputs = [
        graph.one("Transpose", x, perm=[0, axes[-1], *axes[1:-1]])
        if x is not None and index in indices
        else x
        for index, x in enumerate(node.inputs)
    ]
    (y,) = translate(replace(node, inputs=inputs), graph)
    return [graph.one("Transpose", y, perm=[0, *axes[2:], 1])]


@onnx_op("NhwcConv", "NhwcFusedConv", since=1, domain=MICROSOFT)
def nhwc_conv(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """Activations, residual and the weights of NhwcConv have their channels in the last axis."""
    turned = (0, 1, 3) if node.op == "NhwcConv" else (0, 3)
    return _channels_first(node, graph, turned, fused_conv)


@onnx_op("ConvTransposeWithDynamicPads", since=1, domain=MICROSOFT)
def conv_transpose_with_pads(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """The pads are an input, which has to be constant."""
    names = ("auto_pad", "dilations", "group", "kernel_shape", "output_padding", "strides")
    attributes, pads = _chosen(node, names), node.optional(2)
    if pads is not None:
        if pads.data is None:
            raise node.unsupported("its pads are computed; make them constant")
        attributes["pads"] = [int(pad) for pad in pads.data.reshape(-1)]
    return graph.emit("ConvTranspose", [node.input(0), node.input(1), node.optional(3)], attributes)
