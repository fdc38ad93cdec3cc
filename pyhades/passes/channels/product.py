"""What a product of channels is, and how one is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pyhades.ir.graph import Graph, Node, Value
from pyhades.ir.inference import constant
from pyhades.ir.ops.convolution import conv_window
from pyhades.ir.registry import attribute
from pyhades.ir.shapes import shape
from pyhades.passes.decompose.rule import dtype_of
from pyhades.passes.rewriting import Array, Rewrite

_IMAGES = (3, 4)
"""Ranks of what convolutions are left with once they are decomposed."""
LANES = 16
"""Output channels that a product computes at once; it pays for as many if there are fewer."""


@dataclass(frozen=True)
class Product:
    """``x`` with its channels, which are axis ``axis``, multiplied by a matrix.

    ``weight`` is [inputs, outputs], ``bias`` is [outputs].
    """

    node: Node
    x: Value
    axis: int
    weight: Array
    bias: Array | None


def rewrite_products(graph: Graph, change: Callable[[Rewrite, Product], object]) -> Graph:
    """``graph`` after ``change`` of every product, again and again until that changes nothing."""
    while True:
        rewrite = Rewrite(graph)
        for node in rewrite.nodes:
            product = product_of(rewrite, node)
            if product is not None:
                change(rewrite, product)
        graph = rewrite.finish()
        if not rewrite.changed:
            return graph


def product_of(rewrite: Rewrite, node: Node) -> Product | None:
    """``node`` as a product of float32 channels; None if it is none, or if grids are involved."""
    if node.op not in ("Conv", "MatMul", "FusedMatMul"):
        return None
    x, weight = rewrite.inputs(node)[:2]
    if x is None or x.is_constant or weight is None or not weight.is_constant:
        return None
    if not all(is_plain(value) for value in (x, weight, node.outputs[0])):
        return None
    bias, matrix = node.input(2), weight.data
    if matrix is None or (bias is not None and bias.data is None):
        return None
    axis = 1
    if node.op == "Conv":
        if not _is_pointwise(node):
            return None
        matrix = matrix.reshape(matrix.shape[:2]).T
    else:
        axis = len(shape(x)) - 1
        bare = node.op == "MatMul" or is_bare(node)
        if not bare or matrix.ndim != 2 or axis < 1:
            return None
    return Product(node, x, axis, matrix, None if bias is None else bias.data)


def is_bare(node: Node) -> bool:
    """Whether a FusedMatMul is nothing but a product and a bias."""
    nothing = attribute(node, "activation") == attribute(node, "after") == "none"
    return nothing and attribute(node, "alpha") == 1 and node.input(3) is None


def is_plain(value: Value) -> bool:
    """Whether ``value`` is float32 and lies on no grid, whose points other sums would miss."""
    return (
        value.type is not None and value.type.quantization is None and dtype_of(value) == np.float32
    )


def _is_pointwise(conv: Node) -> bool:
    x, weight = conv.inputs[:2]
    assert x is not None and weight is not None
    if attribute(conv, "group") != 1 or any(extent != 1 for extent in shape(weight)[2:]):
        return False
    window = conv_window(conv, shape(x), shape(weight))
    pads = (*window.pads_begin, *window.pads_end)
    return not any(pads) and all(stride == 1 for stride in window.strides)


def can_multiply(x: Value, axis: int) -> bool:
    """Whether :func:`multiply` has an operator for that axis."""
    rank = len(shape(x))
    return rank >= 2 and (axis == rank - 1 or (axis == 1 and rank in _IMAGES))


def multiply(
    rewrite: Rewrite,
    x: Value,
    axis: int,
    weight: Array,
    bias: Array | None,
    name: str,
    before: Node,
) -> Value:
    """``x`` with axis ``axis`` multiplied by ``weight`` [inputs, outputs], and ``bias`` added."""
    rank = len(shape(x))
    terms = None if bias is None else constant(f"{name}.bias", bias.astype(np.float32))
    matrix = np.asarray(weight, np.float32)
    if axis == 1 and rank in _IMAGES:
        kernel = np.ascontiguousarray(matrix.T).reshape(*matrix.T.shape, *[1] * (rank - 2))
        inputs = [x, constant(f"{name}.weight", kernel), terms]
        return rewrite.new("Conv", inputs, name, before)
    columns = constant(f"{name}.weight", np.ascontiguousarray(matrix))
    product = rewrite.new("MatMul", [x, columns], name, before)
    return product if terms is None else rewrite.new("Add", [product, terms], f"{name}.sum", before)
