"""BatchNormalization disappears into the convolution before it, or becomes a ScaleShift."""

from __future__ import annotations

import numpy as np

from pyhades.ir.graph import Graph, Node
from pyhades.ir.inference import constant
from pyhades.ir.registry import attribute
from pyhades.ir.shapes import shape
from pyhades.passes.rewriting import Array, Rewrite

_CONVOLUTIONS = {"Conv": 2, "ConvTranspose": 2, "DeformConv": 3}
"""Which input is the bias."""


def fold_batch_norm(graph: Graph) -> Graph:
    """Fold constant BatchNormalization; the arithmetic on weights is done in float64."""
    rewrite = Rewrite(graph)
    for node in rewrite.nodes:
        if node.op != "BatchNormalization":
            continue
        node.inputs = rewrite.inputs(node)
        scale_shift = _scale_and_shift(node)
        if scale_shift is None:
            continue
        convolution = rewrite.private(node.inputs[0], *_CONVOLUTIONS)
        if convolution is None or not _fold(rewrite, node, convolution, *scale_shift):
            _replace(rewrite, node, *scale_shift)
    return rewrite.finish()


def _scale_and_shift(node: Node) -> tuple[Array, Array] | None:
    """What the node multiplies by and adds, in float64; None unless it is constant."""
    values = [value.data if value is not None else None for value in node.inputs[1:5]]
    if any(data is None for data in values):
        return None
    scale, bias, mean, variance = (np.asarray(data, np.float64) for data in values)
    with np.errstate(all="ignore"):  # a damaged variance makes NaN, as it does when computed
        factor = scale / np.sqrt(variance + attribute(node, "epsilon"))
        return factor, bias - mean * factor


def _fold(rewrite: Rewrite, node: Node, conv: Node, scale: Array, shift: Array) -> bool:
    given, position = rewrite.inputs(conv), _CONVOLUTIONS[conv.op]
    inputs = [*given, *[None] * (position + 1 - len(given))]
    weight, bias = inputs[1], inputs[position]
    if weight is None or weight.data is None or (bias is not None and bias.data is None):
        return False
    dtype = weight.data.dtype
    scaled = _scaled(conv, weight.data, scale)
    old_bias = 0.0 if bias is None or bias.data is None else bias.data
    new_bias = (old_bias * scale + shift).astype(dtype)
    name = node.outputs[0].name
    inputs[1] = constant(f"{name}.weight", scaled.astype(dtype))
    inputs[position] = constant(f"{name}.bias", new_bias)
    rewrite.replace(node, conv.op, inputs, **conv.attributes)
    return True


def _scaled(conv: Node, weight: Array, scale: Array) -> Array:
    """The weight with every output channel multiplied by its scale."""
    kernel = weight.shape[2:]
    if conv.op != "ConvTranspose":
        return np.asarray(weight * scale.reshape(-1, 1, *[1] * len(kernel)))
    group = attribute(conv, "group")  # [c, o / group, *kernel]: outputs of a group are columns
    grouped = weight.reshape(group, -1, *weight.shape[1:])
    columns = scale.reshape(group, 1, -1, *[1] * len(kernel))
    return np.asarray((grouped * columns).reshape(weight.shape))


def _replace(rewrite: Rewrite, node: Node, scale: Array, shift: Array) -> None:
    x = node.inputs[0]
    if x is None or x.type is None or len(shape(x)) < 2:
        return
    dtype, name = x.type.dtype, node.outputs[0].name
    parameters = [
        constant(f"{name}.scale", scale.astype(dtype)),
        constant(f"{name}.shift", shift.astype(dtype)),
    ]
    rewrite.replace(node, "ScaleShift", [x, *parameters])
