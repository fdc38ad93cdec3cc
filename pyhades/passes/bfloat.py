"""Products of bfloat16: the last pass, where that is the precision that was asked for.

It looks at finished products, with bias, activation and residual, and lets those that gain by it
multiply bfloat16. A value that only such products read, be it through what moves elements or
chooses the largest, is kept as bfloat16; everything else stays float32. Rounding commutes with
both, so that every number is rounded once on its way from one product to the next.
"""

from __future__ import annotations

import logging
import math
from collections import Counter, defaultdict
from collections.abc import Callable

import numpy as np

from pyhades.ir.carried import pads_with_zeros
from pyhades.ir.graph import Graph, Node, Value
from pyhades.ir.inference import constant
from pyhades.ir.registry import attribute
from pyhades.ir.shapes import shape
from pyhades.numerics.bfloat import narrowed
from pyhades.passes.decompose.rule import source
from pyhades.passes.product_costs import conversion_cost, product_costs
from pyhades.passes.rewriting import Rewrite

log = logging.getLogger(__name__)

PRODUCTS = {"FusedConv": "BConv", "FusedMatMul": "BMatMul"}
"""Products of float32, and those of bfloat16 in their place."""

MOVES = {
    **{op: op for op in ("Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose")},
    **{op: op for op in ("Slice", "DepthToSpace", "SpaceToDepth", "Concat", "Roll", "Pad")},
    "MaxPool": "BMaxPool",
}
"""What moves elements, or chooses them, and what does so with bfloat16."""

_LEAST_GAIN = 1.25
_COLOURS = 4


def compute_in_bfloat16(graph: Graph, wanted: Callable[[Node], bool] | None = None) -> Graph:
    """Let products multiply bfloat16, and keep what only they read so.

    Parameters
    ----------
    graph
        What all other passes have made.
    wanted
        Of which products; by default of those that gain by it.
    """
    rewrite = Rewrite(graph)
    possible = [node for node in rewrite.nodes if is_possible(node)]
    products = set(filter(wanted, possible)) if wanted is not None else _gaining(possible)
    _report(graph, products)
    if not products:
        return graph
    narrow = _narrow_values(rewrite.graph, products)
    return _Narrowing(rewrite, products, narrow).run()


def _report(graph: Graph, products: set[Node]) -> None:
    floats = sum(node.op in PRODUCTS for node in graph.nodes) - len(products)
    where = graph.source or graph.name
    log.info("%s: %d products of bfloat16, %d of float32", where, len(products), floats)


def is_possible(node: Node) -> bool:
    """Whether a product can be one of bfloat16, and does not read what must not be rounded."""
    if node.op not in PRODUCTS or not _is_float(node) or _reads_image(node):
        return False
    if node.op == "FusedConv":
        return len(shape(source(node))) in (3, 4)
    return len(shape(source(node, 1))) == 2 and attribute(node, "alpha") == 1.0


def _gaining(possible: list[Node]) -> set[Node]:
    """Products that read one value share the cost of its conversion."""
    readers = Counter(source(node) for node in possible if gains(node, math.inf))
    return {node for node in possible if gains(node, readers[source(node)])}


def gains(node: Node, sharing: float = 1) -> bool:
    """Whether a product takes less time on bfloat16, with its part of converting its input."""
    floating, narrow = product_costs(node)
    converted = conversion_cost(node) / max(sharing, 1)
    return narrow + converted < floating / _LEAST_GAIN


def _is_float(node: Node) -> bool:
    """Whether operands are plain float32, the second a constant."""
    kinds = [value.type for value in (*node.inputs[:2], *node.outputs) if value is not None]
    plain = all(kind and kind.dtype == np.float32 and not kind.quantization for kind in kinds)
    return plain and source(node, 1).is_constant


def _reads_image(node: Node) -> bool:
    """Whether a product is the first: eight bits of precision are too few for normalised bytes."""
    x = source(node)
    return x.producer is None or (node.op == "FusedConv" and shape(x)[1] <= _COLOURS)


def _narrow_values(graph: Graph, products: set[Node]) -> set[Value]:
    """What is read by nothing but products of bfloat16, through what moves elements or not."""
    readers: dict[Value, list[tuple[Node, int]]] = defaultdict(list)
    for node in graph.nodes:
        for index, value in enumerate(node.inputs):
            if value is not None:
                readers[value].append((node, index))
    narrow: set[Value] = set()

    def takes(node: Node, index: int) -> bool:
        if node in products:
            return index == 0
        return _moves(node, index) and node.outputs[0] in narrow

    for node in reversed(graph.nodes):
        for value in node.outputs:
            kind = value.type
            plain = kind is not None and kind.dtype == np.float32 and not kind.quantization
            inner = plain and value in readers and value not in graph.outputs
            if inner and all(takes(*reader) for reader in readers[value]):
                narrow.add(value)
    return narrow


def _moves(node: Node, index: int) -> bool:
    """Whether elements of that input are all that a node gives, as one result."""
    if node.op not in MOVES or len(node.outputs) != 1:
        return False
    if node.op == "MaxPool" and len(shape(source(node))) not in (3, 4):
        return False
    if node.op == "Pad" and attribute(node, "mode") == "constant" and not pads_with_zeros(node):
        return False
    return index == 0 or node.op == "Concat"


class _Narrowing:
    """Writes the graph anew, with what is known to be bfloat16."""

    def __init__(self, rewrite: Rewrite, products: set[Node], narrow: set[Value]) -> None:
        self.rewrite = rewrite
        self.products = products
        self.narrow = narrow
        self.bits: dict[Value, Value] = {}
        """The bfloat16 of float32 values."""

    def run(self) -> Graph:
        for node in self.rewrite.nodes:
            if node in self.products:
                self._multiply(node)
            elif node.op in MOVES and node.outputs[0] in self.narrow:
                self._move(node)
        return self.rewrite.finish()

    def _multiply(self, node: Node) -> None:
        x, weight, y = source(node), source(node, 1), node.outputs[0]
        assert weight.data is not None
        w = constant(f"{weight.name}.bf16", narrowed(weight.data))
        attributes = {key: item for key, item in node.attributes.items() if key != "alpha"}
        inputs = [self._narrowed(x, node), w, *node.inputs[2:]]
        op = PRODUCTS[node.op]
        if y not in self.narrow:
            self.rewrite.replace(node, op, inputs, **attributes)
            return
        attributes["to"] = np.dtype(np.uint16)
        self.bits[y] = self.rewrite.new(op, inputs, f"{y.name}.bf16", node, **attributes)

    def _move(self, node: Node) -> None:
        y = node.outputs[0]
        count = len(node.inputs) if node.op == "Concat" else 1
        moved = [self._narrowed(source(node, index), node) for index in range(count)]
        inputs = [*moved, *node.inputs[count:]]
        name = f"{y.name}.bf16"
        if node.op == "Pad" and len(inputs) > 2:
            inputs[2] = constant(f"{name}.zero", np.array(0, np.uint16))
        self.bits[y] = self.rewrite.new(MOVES[node.op], inputs, name, node, **node.attributes)

    def _narrowed(self, value: Value, before: Node) -> Value:
        """The bfloat16 of a value, which are made where they are first read."""
        if value not in self.bits:
            name = f"{value.name}.bf16"
            if value.is_constant:
                assert value.data is not None
                self.bits[value] = constant(name, narrowed(value.data))
            else:
                self.bits[value] = self.rewrite.new("NarrowBF16", [value], name, before)
        return self.bits[value]
