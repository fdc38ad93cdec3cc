"""How much each product of a network has to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyhades.ir.graph import Graph, Node
from pyhades.ir.registry import operator
from pyhades.numerics.array import Array
from pyhades.passes import fold_constants, specialise
from pyhades.segmentation.quantize.products import Product


def work_of(
    graph: Graph, products: Sequence[Product], feeds: Mapping[str, Array]
) -> dict[str, float]:
    """Operations of each product, by name, for inputs as large as ``feeds``.

    A product whose size depends on data counts as if each of its weights were used once.
    """
    shapes = {name: array.shape for name, array in feeds.items()}
    sized = fold_constants(specialise(graph, shapes), partly=True)
    nodes = {node.outputs[0].name: node for node in sized.nodes}
    return {product.name: _operations(nodes.get(product.name), product) for product in products}


def _operations(node: Node | None, product: Product) -> float:
    data = product.weight.data
    assert data is not None
    values = [] if node is None else [v for v in (*node.inputs, *node.outputs) if v is not None]
    if node is None or any(v.type is None or not v.type.is_static for v in values):
        return 2.0 * data.size
    return float(operator(node.op).flops(node))
