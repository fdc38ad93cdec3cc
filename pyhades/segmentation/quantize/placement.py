"""Which edges carry numbers on grids, and which of them share one.

A product wants its activations on a grid. What only moves, chooses or averages numbers shares the
grid of its results, so that they stay integers on the way: operands of a Concat, what a Resize or a
pool reads. Where a sum is wanted on a grid, so are its operands, but for a product that nothing
else reads: the sum is then part of that product's kernel, which adds before it rounds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from pyhades.ir.carried import moves, pads_with_zeros
from pyhades.ir.graph import Graph, Node, Value
from pyhades.ir.ops.elementwise import element_function
from pyhades.ir.registry import attribute
from pyhades.segmentation.quantize.products import PRODUCTS, Product

_AVERAGES = ("AveragePool",)


@dataclass(frozen=True)
class Placement:
    """Edges with grids.

    Attributes
    ----------
    groups
        Values that share a grid, in the order of the graph.
    made
        Values that must be put on their grid, as what makes them leaves it; the others are there by
        what they are made of.
    """

    groups: tuple[tuple[Value, ...], ...]
    made: frozenset[Value]

    @property
    def observed(self) -> list[Value]:
        """What the grids follow from: averages never leave the range of what they average."""
        return [v for group in self.groups for v in group if v in self.made and not _averaged(v)]


def place_grids(graph: Graph, products: Iterable[Product]) -> Placement:
    """Find the edges that must be on grids so that ``products`` read nothing else."""
    return _Placing(graph).run(products)


class _Placing:
    def __init__(self, graph: Graph) -> None:
        self.graph, self.readers = graph, graph.consumers()
        self.leader: dict[Value, Value] = {}

    def run(self, products: Iterable[Product]) -> Placement:
        pending = [product.x for product in products]
        while pending:
            value = pending.pop()
            if value in self.leader:
                continue
            self.leader[value] = value
            pending += self._sources(value)
        # Grids are shared only once all are known: an operand may be wanted for itself, too.
        for value in self.leader:
            for other in _shares_with(value):
                self.leader[self._find(other)] = self._find(value)
        order = {value: index for index, value in enumerate(self.graph.values())}
        groups: dict[Value, list[Value]] = {}
        for value in sorted(self.leader, key=order.__getitem__):
            groups.setdefault(self._find(value), []).append(value)
        made = frozenset(v for v in self.leader if _averaged(v) or not _shares_with(v))
        return Placement(tuple(map(tuple, groups.values())), made)

    def _sources(self, value: Value) -> list[Value]:
        """What must be on a grid because ``value`` is."""
        shared = _shares_with(value)
        return shared or self._operands(value)

    def _operands(self, value: Value) -> list[Value]:
        """Operands of the sum that ``value`` is, or is a function of."""
        node = value.producer
        while node is not None and node.op != "Add" and _is_function(node):
            source = node.inputs[0]
            node = None if source is None or not self._alone(source) else source.producer
        if node is None or node.op != "Add":
            return []
        operands = [v for v in node.inputs if v is not None and v.data is None]
        if len(operands) != 2 or len({_shape(v) for v in operands}) != 1:
            return []
        if not any(self._comes_from_product(v) for v in operands):
            return []
        fused = next((v for v in operands if self._alone(v) and self._is_product(v)), None)
        return [v for v in operands if v is not fused]

    def _alone(self, value: Value) -> bool:
        return len(self.readers.get(value, ())) == 1 and value not in self.graph.outputs

    def _is_product(self, value: Value) -> bool:
        """Whether ``value`` is a product, or a function of one, that nothing else reads."""
        node = value.producer
        while node is not None and _is_function(node):
            source = node.inputs[0]
            node = source.producer if source is not None and self._alone(source) else None
        return node is not None and node.op in PRODUCTS

    def _comes_from_product(self, value: Value) -> bool:
        return value in self.leader or self._is_product(value)

    def _find(self, value: Value) -> Value:
        while self.leader[value] is not value:
            value = self.leader[value]
        return value


def _shape(value: Value) -> object:
    return None if value.type is None else value.type.shape


def _is_function(node: Node) -> bool:
    """Whether a node is a function of single elements of its first input alone."""
    row = element_function(node)
    variable = [v for v in node.inputs if v is not None and v.data is None]
    return row is not None and len(variable) == 1 and variable[0] is node.inputs[0]


def _averages(node: Node) -> bool:
    if node.op == "Resize":
        mode = attribute(node, "coordinate_transformation_mode")
        return bool(attribute(node, "mode") == "linear" and mode != "tf_crop_and_resize")
    return node.op in _AVERAGES


def _averaged(value: Value) -> bool:
    return value.producer is not None and _averages(value.producer)


def _shares_with(value: Value) -> list[Value]:
    """Values that ``value`` consists of, or lies between."""
    node = value.producer
    if node is None or not (moves(node) or pads_with_zeros(node) or _averages(node)):
        return []
    sources = node.inputs if node.op == "Concat" else node.inputs[:1]
    found = [v for v in sources if v is not None and v.data is None]
    whole = len(found) == len(sources) and (value is node.outputs[0] or node.op == "Split")
    return found if whole and all(v.type and v.type.dtype == np.float32 for v in found) else []
