"""Which edges carry numbers on grids, and which of them share one.

A product wants its activations on a grid. What only moves, chooses or averages numbers shares the
grid of its results, so that they stay integers on the way: operands of a Concat, what a Resize or a
pool reads. Where a sum is wanted on a grid, so are its operands, but for a product that nothing
else reads: the sum is then part of that product's kernel, which adds before it rounds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from pyhades.ir.carried import moves, pads_with_zeros
from pyhades.ir.graph import Graph, Node, Value
from pyhades.ir.ops.elementwise import element_function
from pyhades.ir.registry import attribute
from pyhades.segmentation.quantize.products import PRODUCTS, Product

_AVERAGES = ("AveragePool",)

Read = tuple[Node, Value]
"""A node and what it reads."""


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
    as_made
        Nodes and inputs of theirs that they read from before the grid: they would read it if all
        products were quantised, and do not, as some of them are in float.
    """

    groups: tuple[tuple[Value, ...], ...]
    made: frozenset[Value]
    as_made: frozenset[Read] = frozenset()

    @property
    def observed(self) -> list[Value]:
        """What the grids follow from: averages never leave the range of what they average."""
        return [v for group in self.groups for v in group if v in self.made and not _averaged(v)]


def place_grids(
    graph: Graph, products: Sequence[Product], in_float: Sequence[Product] = ()
) -> Placement:
    """Find the edges that must be on grids so that ``products`` read nothing else.

    Parameters
    ----------
    graph
        The prepared network.
    products
        Those that are quantised.
    in_float
        Those that could be, and are not.
    """
    every: set[Read] = set()
    if in_float:
        placing = _Placing(graph, every)
        placing.run([*products, *in_float])
        every = placing.reads
    return _Placing(graph, every).run(products)


class _Placing:
    def __init__(self, graph: Graph, every: Collection[Read]) -> None:
        self.graph, self.readers, self.every = graph, graph.consumers(), every
        self.leader: dict[Value, Value] = {}
        self.reads: set[Read] = set()

    def run(self, products: Sequence[Product]) -> Placement:
        self.chosen = {product.node for product in products}
        self.reads.update((product.node, product.x) for product in products)
        pending = [product.x for product in products]
        sums: list[Value] = []
        while pending:
            while pending:
                value = pending.pop()
                if value in self.leader:
                    continue
                self.leader[value] = value
                shared = _shares_with(value)
                self._read(value.producer, shared)
                pending += shared
                sums += [] if shared else [value]
            # What a sum adds is on grids where all that read the sum read it from its own.
            ready = [value for value in sums if not self._read_as_made(value)]
            sums = [value for value in sums if value not in ready]
            pending = [operand for value in ready for operand in self._operands(value)]
        # Grids are shared only once all are known: an operand may be wanted for itself, too.
        for value in self.leader:
            for other in _shares_with(value):
                self.leader[self._find(other)] = self._find(value)
        order = {value: index for index, value in enumerate(self.graph.values())}
        groups: dict[Value, list[Value]] = {}
        for value in sorted(self.leader, key=order.__getitem__):
            groups.setdefault(self._find(value), []).append(value)
        made = frozenset(v for v in self.leader if _averaged(v) or not _shares_with(v))
        as_made = frozenset(read for read in self.every if read not in self.reads)
        return Placement(tuple(map(tuple, groups.values())), made, as_made)

    def _read(self, node: Node | None, values: Iterable[Value]) -> None:
        if node is not None:
            self.reads.update((node, value) for value in values)

    def _read_as_made(self, value: Value) -> bool:
        """Whether something reads ``value`` from before its grid, as far as is known by now."""
        reads = [(node, value) for node in self.readers.get(value, ())]
        return any(read in self.every and read not in self.reads for read in reads)

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
        products = {v: self._product_of(v) for v in operands if self._alone(v)}
        fused = next((v for v, product in products.items() if product is not None), None)
        if fused is None:
            added_in_integers = any(v in self.leader for v in operands)
        else:
            added_in_integers = products[fused] in self.chosen
        wanted = [v for v in operands if v is not fused] if added_in_integers else []
        self._read(node, wanted)
        return wanted

    def _alone(self, value: Value) -> bool:
        return len(self.readers.get(value, ())) == 1 and value not in self.graph.outputs

    def _product_of(self, value: Value) -> Node | None:
        """The product that ``value`` is, or is a function of, and that nothing else reads."""
        node = value.producer
        while node is not None and _is_function(node):
            source = node.inputs[0]
            node = source.producer if source is not None and self._alone(source) else None
        return node if node is not None and node.op in PRODUCTS else None

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
