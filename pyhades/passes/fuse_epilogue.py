"""Bias, activation and residual move into the convolution or matrix product before them.

The order is that of the native epilogue: ``after(activation(product + bias) + residual)``.
"""

from __future__ import annotations

import numpy as np

from pyhades.ir.graph import Graph, Node, Value
from pyhades.ir.inference import constant
from pyhades.ir.ops.elementwise import attribute_parameters, element_function
from pyhades.ir.ops.integers import OFFSET
from pyhades.ir.registry import attribute
from pyhades.ir.shapes import shape
from pyhades.passes.integers.through import through_grid
from pyhades.passes.rewriting import Rewrite, clip_bounds, scalar

_INTEGERS = ("QConv", "QConvTranspose", "QMatMul")
_CONVOLUTIONS = ("FusedConv", "FusedConvTranspose", "QConv", "QConvTranspose")
_FUSED = (*_CONVOLUTIONS, "FusedMatMul", "QMatMul")


def fuse_epilogue(graph: Graph) -> Graph:
    """Fuse what follows a float32 product, ScaleShift or normalisation."""
    rewrite = Rewrite(graph)
    results = [value for node in rewrite.nodes for value in node.outputs]
    position = {value: index for index, value in enumerate(results)}
    for node in rewrite.nodes:
        node.inputs = rewrite.inputs(node)
        kind = node.outputs[0].type
        if kind is None or kind.dtype != np.float32:
            continue
        if node.op in ("Conv", "ConvTranspose", "MatMul"):
            rewrite.replace(node, f"Fused{node.op}", node.inputs, **node.attributes)
        elif node.op == "GroupNormalization":
            names = ("num_groups", "epsilon")
            attributes = {name: attribute(node, name) for name in names}
            rewrite.replace(node, "FusedGroupNorm", node.inputs, **attributes)
        elif node.op == "Add":
            _fuse_bias(rewrite, node) or _fuse_residual(rewrite, node, position)
        elif node.op == "Mul":
            _fuse_alpha(rewrite, node)
        else:
            _fuse_activation(rewrite, node)
    return rewrite.finish()


def _is_bare(node: Node) -> bool:
    """Whether nothing has been fused after the bias."""
    return (
        attribute(node, "activation") == "none"
        and node.input(3) is None
        and attribute(node, "after") == "none"
    )


def _fuse_bias(rewrite: Rewrite, node: Node) -> bool:
    for product, term in (node.inputs, node.inputs[::-1]):
        fused = rewrite.private(product, *_FUSED)
        if fused is None or not _is_bare(fused):
            continue
        # What is added to sums of integers comes after their factor.
        index = OFFSET if fused.op in _INTEGERS else 2
        bias = None if fused.input(index) is not None else _bias(fused, term)
        if bias is not None:
            inputs = _with(rewrite.inputs(fused), index, bias)
            rewrite.replace(node, fused.op, inputs, **fused.attributes)
            return True
    return False


def _bias(fused: Node, term: Value | None) -> Value | None:
    """``term`` as a vector over the output channels, if it is a constant of that kind."""
    if term is None or term.data is None:
        return None
    extents = shape(fused.outputs[0])
    axis = 1 if fused.op in _CONVOLUTIONS else len(extents) - 1
    padded = (1,) * (len(extents) - term.data.ndim) + term.data.shape
    if len(padded) != len(extents):
        return None
    if any(extent != 1 for index, extent in enumerate(padded) if index != axis):
        return None
    if padded[axis] == extents[axis]:
        return constant(f"{term.name}.row", term.data.reshape(-1))
    return constant(f"{term.name}.row", np.full(extents[axis], term.data.reshape(())))


def _fuse_residual(rewrite: Rewrite, node: Node, position: dict[Value, int]) -> bool:
    """Into the later of two producers, so that the other is ready."""
    pairs = sorted(
        (node.inputs, node.inputs[::-1]),
        key=lambda pair: -1 if pair[0] is None else position.get(pair[0], -1),
        reverse=True,
    )
    for product, residual in pairs:
        fused = rewrite.private(product, *_FUSED)
        through = through_grid(rewrite, product) if fused is None else None
        if through is not None:
            fused, inputs, attributes = through
        elif fused is not None:
            inputs, attributes = rewrite.inputs(fused), fused.attributes
        if fused is None or residual is None or residual is product:
            continue
        if fused.input(3) is not None or attribute(fused, "after") != "none":
            continue
        if residual.type != node.outputs[0].type or fused.outputs[0].type != residual.type:
            continue
        rewrite.replace(node, fused.op, _with(inputs, 3, residual), **attributes)
        return True
    return False


def _with(inputs: list[Value | None], index: int, value: Value) -> list[Value | None]:
    """``inputs`` with that one set, after as many that are omitted as it takes."""
    padded = [*inputs, *[None] * (index + 1 - len(inputs))]
    padded[index] = value
    return padded


def _fuse_alpha(rewrite: Rewrite, node: Node) -> None:
    """A scaled matrix product."""
    for product, factor in (node.inputs, node.inputs[::-1]):
        fused = rewrite.private(product, "FusedMatMul")
        number = scalar(factor)
        if fused is None or number is None or fused.input(2) is not None or not _is_bare(fused):
            continue
        if fused.outputs[0].type != node.outputs[0].type:
            continue
        attributes = {**fused.attributes, "alpha": attribute(fused, "alpha") * number}
        rewrite.replace(node, "FusedMatMul", rewrite.inputs(fused), **attributes)
        return


def _fuse_activation(rewrite: Rewrite, node: Node) -> None:
    fused = rewrite.private(node.inputs[0], *_FUSED, "ScaleShift", "FusedGroupNorm")
    found = None if fused is None else _activation(node)
    if fused is None or found is None:
        return
    stage = "activation"
    if fused.op in _FUSED and (
        fused.input(3) is not None or attribute(fused, "activation") != "none"
    ):
        stage = "after"
    if attribute(fused, stage) != "none":
        return
    name, parameters = found
    numbers = zip((f"{stage}_alpha", f"{stage}_beta"), parameters, strict=False)
    attributes = {**fused.attributes, stage: name, **dict(numbers)}
    rewrite.replace(node, fused.op, rewrite.inputs(fused), **attributes)


def _activation(node: Node) -> tuple[str, list[float]] | None:
    """The activation that ``node`` is, with its parameters, if those are constant."""
    row = element_function(node)
    if row is None or not row.is_activation:
        return None
    parameters = clip_bounds(node) if node.op == "Clip" else attribute_parameters(node, row)
    if parameters is None or len(parameters) != len(row.parameters):
        return None
    return row.name, parameters
