"""Products of one input with several constant matrices become one product, whose columns are views.

Attention projects the same tokens to queries, keys and values. One product of the matrices side by
side reads the tokens once and is one step instead of three, which threads share better.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from pyhades.ir.graph import Graph, Node, Value
from pyhades.ir.inference import constant
from pyhades.ir.shapes import shape
from pyhades.passes.decompose.rule import dtype_of
from pyhades.passes.rewriting import Array, Rewrite

_VIEWS = ("Reshape", "Transpose", "Slice", "Squeeze", "Unsqueeze")
_PRODUCTS = ("FusedAttention", "MatMul")


@dataclass
class _Product:
    """``x @ weight + bias``, and the value that holds it."""

    node: Node
    weight: Value
    bias: Array | None
    result: Value


def merge_products(graph: Graph) -> Graph:
    """Merge float32 products whose results only products read, through views if need be.

    What an activation or a sum reads stays alone: it takes them into its epilogue.
    """
    rewrite = Rewrite(graph)
    outputs = set(rewrite.graph.outputs)
    readers: dict[Value, list[Node]] = defaultdict(list)
    for node in rewrite.nodes:
        for value in node.inputs:
            if value is not None:
                readers[value].append(node)
    products: dict[Value, list[_Product]] = defaultdict(list)
    for node in rewrite.nodes:
        product = _product(node, readers, outputs)
        if product is not None and node.inputs[0] is not None:
            products[node.inputs[0]].append(product)
    for x, group in products.items():
        if len(group) > 1:
            _merge(rewrite, x, group)
    return rewrite.finish()


def _product(node: Node, readers: dict[Value, list[Node]], outputs: set[Value]) -> _Product | None:
    if node.op != "MatMul":
        return None
    x, weight = node.inputs
    if x is None or x.is_constant or weight is None or not weight.is_constant:
        return None
    if len(shape(weight)) != 2 or dtype_of(weight) != np.float32 or len(shape(x)) < 2:
        return None
    result, bias = node.outputs[0], None
    if len(readers[result]) == 1 and result not in outputs:
        bias = _bias(readers[result][0], result, shape(weight)[1])
        if bias is not None:
            result = readers[result][0].outputs[0]
    if result in outputs or not _only_products_read(result, readers, outputs):
        return None
    return _Product(node, weight, bias, result)


def _bias(add: Node, product: Value, columns: int) -> Array | None:
    """The constant vector that ``add`` adds to every row."""
    if add.op != "Add":
        return None
    terms = [value for value in add.inputs if value is not product]
    if len(terms) != 1 or terms[0] is None or terms[0].data is None:
        return None
    data = terms[0].data
    return data.reshape(-1) if data.shape[-1:] == (columns,) == (data.size,) else None


def _only_products_read(
    value: Value, readers: dict[Value, list[Node]], outputs: set[Value]
) -> bool:
    if value in outputs or not readers[value]:
        return False
    for reader in readers[value]:
        if reader.op in _PRODUCTS:
            continue
        if reader.op not in _VIEWS or reader.inputs[0] is not value:
            return False
        if not all(_only_products_read(view, readers, outputs) for view in reader.outputs):
            return False
    return True


def _merge(rewrite: Rewrite, x: Value, group: list[_Product]) -> None:
    first = group[0].node
    name = group[0].result.name
    matrices = [np.asarray(p.weight.data) for p in group]
    weight = constant(f"{name}.weights", np.concatenate(matrices, axis=1))
    merged = rewrite.new("MatMul", [x, weight], f"{name}.merged", first)
    sizes = [matrix.shape[1] for matrix in matrices]
    if any(p.bias is not None for p in group):
        parts = [
            np.zeros(size, np.float32) if p.bias is None else p.bias
            for p, size in zip(group, sizes, strict=True)
        ]
        bias = constant(f"{name}.biases", np.concatenate(parts))
        merged = rewrite.new("Add", [merged, bias], f"{name}.biased", first)
    axis, begin = len(shape(merged)) - 1, 0
    for product, size in zip(group, sizes, strict=True):
        bounds = [
            constant(f"{product.result.name}.{what}", np.array([number], np.int64))
            for what, number in (("begin", begin), ("end", begin + size), ("axis", axis))
        ]
        part = rewrite.new("Slice", [merged, *bounds], product.result.name, first)
        rewrite.substitute(product.result, part)
        begin += size
