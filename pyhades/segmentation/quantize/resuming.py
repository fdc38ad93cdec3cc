"""Run a network from its middle on: what was made before is fed.

A network of which little is quantised makes what the float network makes up to the first product
that is. For many such networks and few pictures that is computed once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from pyhades.compiler import Program, compile
from pyhades.ir.copying import clone
from pyhades.ir.graph import Graph, Node, Value
from pyhades.numerics.array import Array
from pyhades.options import EngineOptions
from pyhades.passes import fold_constants, specialise

Feeds = Mapping[str, Array]

MOST_CARRIED = 1 << 30
"""Bytes that are kept of all pictures together."""


def sized(graph: Graph, feeds: Feeds) -> Graph:
    """The network for inputs as large as ``feeds``."""
    shapes = {name: array.shape for name, array in feeds.items()}
    return fold_constants(specialise(graph, shapes), partly=True)


def frontier(graph: Graph, position: int, outputs: Sequence[Value]) -> list[Value]:
    """What the nodes from ``position`` on read of what is made before, and such outputs."""
    made = {*graph.inputs, *(v for node in graph.nodes[:position] for v in node.outputs)}
    read = [v for node in graph.nodes[position:] for v in node.inputs if v is not None]
    return [value for value in dict.fromkeys([*read, *outputs]) if value in made]


def resumed(graph: Graph, known: Collection[str], outputs: Sequence[Value]) -> Graph:
    """What a network still has to do for some of its values, where those ``known`` are fed."""
    needed, fed = set(outputs), dict.fromkeys(graph.inputs)
    nodes: list[Node] = []
    for node in reversed(graph.nodes):
        if needed.isdisjoint(node.outputs):
            continue
        read = [value for value in node.outputs if value in needed]
        if all(value.name in known for value in read):
            fed |= dict.fromkeys(read)
        else:
            nodes.append(node)
            needed.update(value for value in node.inputs if value is not None)
    inputs = [value for value in fed if value in needed]
    return clone(Graph(inputs, list(outputs), nodes[::-1], graph.name, graph.source))


def first_change(graph: Graph, other: Graph) -> int:
    """Position of the first node of ``graph`` that ``other`` has with something else to compute."""
    twins = {node.outputs[0].name: node for node in other.nodes}
    for position, node in enumerate(graph.nodes):
        twin = twins.get(node.outputs[0].name)
        if twin is not None and _reads(twin) != _reads(node):
            return position
    return len(graph.nodes)


def _reads(node: Node) -> tuple[str, list[str | None]]:
    return node.op, [None if value is None else value.name for value in node.inputs]


class Carried:
    """Some pictures in the middle of a network, moved on and back.

    Parameters
    ----------
    graph
        The float network, sized.
    feeds
        What it is fed for each picture, all of one size.
    options
        Threads and tier.
    """

    def __init__(
        self, graph: Graph, feeds: Sequence[Callable[[], Feeds]], options: EngineOptions
    ) -> None:
        self.graph, self._feeds, self._options = graph, feeds, options
        self._position = 0
        self._arrays: list[Feeds] = [make() for make in feeds]

    def outputs(self, other: Graph) -> Iterator[dict[str, Array]]:
        """What another network makes of each picture, which differs from the float one."""
        last = len(self.graph.nodes) - 1
        self._move(self._nearest(min(first_change(self.graph, other), last)))
        program = self._compiled(resumed(other, self._arrays[0], other.outputs))
        try:
            for arrays in self._arrays:
                yield program.run({name: arrays[name] for name in program.inputs})
        finally:
            program.close()

    def _nearest(self, position: int) -> int:
        """The last position up to there at which what is kept is no more than may be."""
        most = MOST_CARRIED / len(self._feeds)
        while position and sum(map(bytes_of, self._frontier(position))) > most:
            position -= 1
        return position

    def _frontier(self, position: int) -> list[Value]:
        return frontier(self.graph, position, self.graph.outputs)

    def _move(self, position: int) -> None:
        if position < self._position:
            self._position, self._arrays = 0, [make() for make in self._feeds]
        if position == self._position:
            return
        ends = self._frontier(position)
        known = self._arrays[0]
        fresh = [value for value in ends if value.name not in known]
        program = self._compiled(resumed(self.graph, known, fresh)) if fresh else None
        for index, arrays in enumerate(self._arrays):
            found = {value.name: arrays[value.name] for value in ends if value.name in arrays}
            if program is not None:
                found |= program.run({name: arrays[name] for name in program.inputs})
            self._arrays[index] = found
        if program is not None:
            program.close()
        self._position = position

    def _compiled(self, graph: Graph) -> Program:
        return compile(graph, options=self._options)


def bytes_of(value: Value) -> int:
    """Of a value whose extents are known; of others none."""
    kind = value.type
    static = kind is not None and kind.is_static
    return kind.dtype.itemsize * math.prod(kind.static_shape) if static and kind else 0
