"""Two products in a row without anything between them are one product."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pyhades.ir.graph import Graph, Node, Value
from pyhades.ir.inference import constant
from pyhades.ir.registry import attribute
from pyhades.ir.shapes import shape
from pyhades.passes.channels.product import LANES, Product, is_bare, is_plain, rewrite_products
from pyhades.passes.channels.views import Viewed, follow, replay
from pyhades.passes.rewriting import Array, Rewrite

_CLEAR = 0.9
"""A product that costs no less than this part of the two is not worth other roundings."""


@dataclass(frozen=True)
class _Inner:
    """A product with all that it reads; ``weight`` is [outputs, anything] in float64."""

    node: Node
    weight: Array
    bias: Array | None


def compose_products(graph: Graph) -> Graph:
    """Multiply weights where the product of both takes clearly fewer multiplications.

    The first may be any convolution or a product of tokens, the second mixes channels only; views
    of tokens as images may stand between. Weights are multiplied in float64.
    """
    return rewrite_products(graph, _compose)


def _compose(rewrite: Rewrite, outer: Product) -> None:
    viewed = follow(rewrite, outer.x, outer.axis)
    inner = _inner(rewrite, viewed) if viewed.is_private else None
    if inner is None:
        return
    middle, after = outer.weight.shape
    depth = inner.weight.size // middle
    wide, narrow = (LANES * math.ceil(count / LANES) for count in (middle, after))
    if depth * narrow > _CLEAR * (depth * wide + middle * narrow):
        return
    columns = outer.weight.astype(np.float64).T
    bias = None if inner.bias is None else columns @ inner.bias
    if outer.bias is not None:
        bias = outer.bias + (0.0 if bias is None else bias)
    name = f"{outer.node.outputs[0].name}.composed"
    product = _product(rewrite, inner, columns @ inner.weight, bias, name, outer.node)
    rewrite.stand_in(outer.node, replay(rewrite, viewed, product, outer.node))


def _inner(rewrite: Rewrite, viewed: Viewed) -> _Inner | None:
    """The product that makes the viewed value and nothing else, if channels are its outputs."""
    node = rewrite.private(viewed.value, "Conv", "MatMul", "FusedMatMul", "Add")
    last = viewed.axis == len(shape(viewed.value)) - 1
    shift = None
    if node is not None and node.op == "Add":
        node, shift = _biased(rewrite, node) if last else (None, None)
    if node is None or not is_plain(node.outputs[0]):
        return None
    weight, bias = rewrite.inputs(node)[1], node.input(2)
    if weight is None or not is_plain(weight) or weight.data is None:
        return None
    terms = shift if bias is None else bias.data
    if bias is not None and (terms is None or shift is not None):
        return None
    terms = None if terms is None else terms.astype(np.float64)
    matrix = weight.data.astype(np.float64)
    if node.op == "Conv":
        if viewed.axis != 1 or attribute(node, "group") != 1:
            return None
        return _Inner(node, matrix.reshape(len(matrix), -1), terms)
    if not last or matrix.ndim != 2 or (node.op == "FusedMatMul" and not is_bare(node)):
        return None
    return _Inner(node, matrix.T, terms)


def _biased(rewrite: Rewrite, add: Node) -> tuple[Node | None, Array | None]:
    """The product of tokens that ``add`` adds a constant row to, and the row."""
    for value, term in (add.inputs, add.inputs[::-1]):
        product = rewrite.private(value, "MatMul")
        if product is None or term is None or term.data is None:
            continue
        extents = shape(product.outputs[0])
        if term.data.shape[-1:] == extents[-1:] and term.data.size == extents[-1]:
            return product, term.data.reshape(-1)
    return None, None


def _product(
    rewrite: Rewrite, inner: _Inner, weight: Array, bias: Array | None, name: str, before: Node
) -> Value:
    """The inner product with another weight [outputs, anything] and bias."""
    node, x = inner.node, rewrite.inputs(inner.node)[0]
    terms = None if bias is None else constant(f"{name}.bias", bias.astype(np.float32))
    matrix = weight.astype(np.float32)
    if node.op == "Conv":
        old = node.inputs[1]
        assert old is not None
        kernel = constant(f"{name}.weight", matrix.reshape(-1, *shape(old)[1:]))
        return rewrite.new("Conv", [x, kernel, terms], name, before, **node.attributes)
    columns = constant(f"{name}.weight", np.ascontiguousarray(matrix.T))
    product = rewrite.new("MatMul", [x, columns], name, before)
    return product if terms is None else rewrite.new("Add", [product, terms], f"{name}.sum", before)
