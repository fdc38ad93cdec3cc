"""BatchNormalization disappears into the convolution before it, or becomes a ScaleShift."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pyhades.ir.graph import Graph, Node, Value
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
    inputs[1] = fresh = constant(f"{name}.weight", scaled.astype(dtype))
    _keep_grid(conv, weight, fresh, scale)
    inputs[position] = constant(f"{name}.bias", new_bias)
    rewrite.replace(node, conv.op, inputs, **conv.attributes)
    return True


def _keep_grid(conv: Node, weight: Value, scaled: Value, scale: Array) -> None:
    """Let the weight lie on the grid of the old one, with steps that are scaled per channel.

    Where the scale is negative, so are the integers, if the grid has these.
    """
    grid = None if weight.type is None else weight.type.quantization
    axis = 1 if conv.op == "ConvTranspose" else 0
    if grid is None or grid.axis not in (None, axis) or grid.block_size or grid.scale.ndim > 1:
        return
    if conv.op == "DeformConv" or (axis == 1 and attribute(conv, "group") != 1):
        return
    zero = None if grid.zero_point is None else np.broadcast_to(grid.zero_point, scale.shape)
    steps = np.asarray(grid.scale.reshape(-1) * np.abs(scale), np.float32)
    if not (np.isfinite(steps) & (steps > 0)).all():
        return
    finer = replace(grid, scale=steps, zero_point=zero, axis=axis)
    assert weight.data is not None and scaled.data is not None and scaled.type is not None
    column = [1] * scaled.data.ndim
    column[axis] = -1
    points = finer.integers(scaled.data).astype(np.float64)
    if zero is not None:
        points -= zero.reshape(column)
    if np.abs(points * steps.reshape(column) - scaled.data).max(initial=0) < steps.min() / 4:
        scaled.type = replace(scaled.type, quantization=finer)


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
