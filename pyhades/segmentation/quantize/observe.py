"""Run the float network over calibration pictures and keep what passes along its edges.

Not all edges at once: those of a large network would not fit into memory. The network is cut into
parts, one program each, which run one after the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pyhades.compiler import Program, compile
from pyhades.compiler.stages import is_static
from pyhades.ir.graph import Graph, Value
from pyhades.numerics.array import Array
from pyhades.options import EngineOptions
from pyhades.segmentation.quantize.placement import place_grids
from pyhades.segmentation.quantize.products import Product
from pyhades.segmentation.quantize.resuming import bytes_of, frontier, resumed, sized
from pyhades.segmentation.quantize.statistics import EdgeStatistics, Statistics

Feeds = Mapping[str, Array]

BYTES_AT_ONCE = 512 << 20
"""Of the edges that one program keeps."""
_SIZES = 4
"""Of pictures, whose programs are kept."""


def observed_edges(graph: Graph, products: Sequence[Product]) -> dict[Value, int]:
    """Edges whose statistics matter for any choice of ``products``, and the axis of channels."""
    readers = graph.consumers()
    wanted = dict.fromkeys(place_grids(graph, products).observed)
    wanted |= dict.fromkeys(product.x for product in products)
    for product in products:
        # Alone, or without its neighbours, a product may need other edges than with them.
        wanted |= dict.fromkeys(place_grids(graph, [product]).observed)
    return {v: _channels(v, readers.get(v, ())) for v in wanted}


def _channels(value: Value, readers: Iterable[object]) -> int:
    ops = {getattr(node, "op", "") for node in readers}
    rank = len(value.type.shape) if value.type is not None and value.type.shape is not None else 0
    return rank - 1 if ops & {"MatMul", "Gemm"} or rank < 2 else 1


@dataclass(frozen=True)
class _Part:
    """A program, the edges that it makes, and the names of what later parts need of it."""

    program: Program
    edges: list[Value]
    left: list[str]


@dataclass
class Observer:
    """Statistics of the edges of a network.

    Parameters
    ----------
    graph
        The prepared network.
    edges
        What to look at, and the axis of channels.
    options
        Threads and tier.
    """

    graph: Graph
    edges: Mapping[Value, int]
    options: EngineOptions

    def __post_init__(self) -> None:
        self._known: dict[object, list[_Part]] = {}

    def look(self, feeds: Feeds) -> Statistics:
        """What passes along the edges for one picture."""
        return {
            value.name: EdgeStatistics.of(x, self.edges[value], value.name)
            for value, x in self.pass_along(feeds)
        }

    def pass_along(self, feeds: Feeds) -> Iterator[tuple[Value, Array]]:
        """The edges and what passes along them, not all at once in memory.

        Each part of the network begins with what the one before left for it.
        """
        carried = dict(feeds)
        for part in self._parts(feeds):
            found = part.program.run({name: carried[name] for name in part.program.inputs})
            for edge in part.edges:
                yield edge, found[edge.name] if edge.name in found else carried[edge.name]
            carried = {n: found[n] if n in found else carried[n] for n in part.left}

    def close(self) -> None:
        """Give back memory."""
        for parts in self._known.values():
            for part in parts:
                part.program.close()
        self._known.clear()

    def _parts(self, feeds: Feeds) -> list[_Part]:
        """For pictures of this size."""
        key = tuple((name, array.shape) for name, array in feeds.items())
        if key not in self._known:
            if len(self._known) >= _SIZES:
                for part in self._known.pop(next(iter(self._known))):
                    part.program.close()
            self._known[key] = self._cut(feeds)
        return self._known[key]

    def _cut(self, feeds: Feeds) -> list[_Part]:
        """The edges in their order, as many at once as memory may hold."""
        graph = sized(replace(self.graph, outputs=list(self.edges)), feeds)
        twins = dict(zip(self.edges, graph.outputs, strict=True))
        made = {v: i for i, node in enumerate(graph.nodes, 1) for v in node.outputs}
        order = sorted(self.edges, key=lambda edge: made.get(twins[edge], 0))
        parts: list[_Part] = []
        known = {name: None for name in feeds}
        for edges in _at_once(order, twins):
            end = max(made.get(twins[edge], 0) for edge in edges)
            # Where sizes depend on data, every part begins with the picture.
            left = frontier(graph, end, ()) if is_static(graph) else graph.inputs
            fresh = dict.fromkeys([*(twins[edge] for edge in edges), *left])
            wanted = [value for value in fresh if value.name not in known]
            program = compile(resumed(graph, known, wanted), options=self.options)
            known = {value.name: None for value in left}
            parts.append(_Part(program, edges, list(known)))
        return parts


def _at_once(edges: Sequence[Value], twins: Mapping[Value, Value]) -> list[list[Value]]:
    parts: list[list[Value]] = [[]]
    used = 0
    for edge in edges:
        size = bytes_of(twins[edge])
        if used and used + size > BYTES_AT_ONCE:
            parts.append([])
            used = 0
        parts[-1].append(edge)
        used += size
    return parts
