"""Run the float network over calibration pictures and keep what passes along its edges.

Not all edges at once: those of a large network would not fit into memory. They are cut into parts,
and each part is the output of a program of its own, which computes nothing behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pyhades.compiler import Program, compile
from pyhades.ir.graph import Graph, Value
from pyhades.numerics.array import Array
from pyhades.options import EngineOptions
from pyhades.segmentation.quantize.placement import place_grids
from pyhades.segmentation.quantize.products import Product
from pyhades.segmentation.quantize.statistics import EdgeStatistics, Statistics

Feeds = Mapping[str, Array]

BYTES_AT_ONCE = 512 << 20
"""Of the edges that one program keeps."""
_PROGRAMS = 8
"""Kept, with as many parts of the network or sizes of pictures."""


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
        self._programs: dict[tuple[object, ...], Program] = {}

    def look(self, feeds: Feeds) -> Statistics:
        """What passes along the edges for one picture."""
        return {
            value.name: EdgeStatistics.of(x, self.edges[value], value.name)
            for value, x in self.pass_along(feeds)
        }

    def pass_along(self, feeds: Feeds) -> Iterator[tuple[Value, Array]]:
        """The edges and what passes along them, not all at once in memory."""
        for index, part in enumerate(self._parts(feeds)):
            outputs = self._program(index, part, feeds).run(dict(feeds))
            for value in part:
                yield value, outputs.pop(value.name)

    def close(self) -> None:
        """Give back memory."""
        for program in self._programs.values():
            program.close()
        self._programs.clear()

    def _parts(self, feeds: Feeds) -> list[list[Value]]:
        """The edges, as many at once as memory may hold."""
        sizes = self._sizes(feeds)
        parts: list[list[Value]] = [[]]
        room = BYTES_AT_ONCE
        for value in self.edges:
            size = sizes.get(value.name, 0)
            if size > room and parts[-1]:
                parts.append([])
                room = BYTES_AT_ONCE
            parts[-1].append(value)
            room -= size
        return parts

    def _sizes(self, feeds: Feeds) -> dict[str, int]:
        """Bytes of each edge for pictures of this size."""
        from pyhades.passes import fold_constants, specialise

        shapes = {name: array.shape for name, array in feeds.items()}
        key = tuple(shapes.items())
        if not hasattr(self, "_known"):
            self._known: dict[object, dict[str, int]] = {}
        if key not in self._known:
            graph = _with_outputs(self.graph, list(self.edges))
            folded = fold_constants(specialise(graph, shapes), partly=True)
            self._known[key] = {
                v.name: 4 * int(np.prod(v.type.static_shape))
                for v in folded.outputs
                if v.type is not None and v.type.is_static
            }
        return self._known[key]

    def _program(self, index: int, part: Sequence[Value], feeds: Feeds) -> Program:
        shapes = {name: array.shape for name, array in feeds.items()}
        key = (index, *shapes.items())
        if key not in self._programs:
            if len(self._programs) >= _PROGRAMS:
                self._programs.pop(next(iter(self._programs))).close()
            graph = _with_outputs(self.graph, part)
            self._programs[key] = compile(graph, shapes, options=self.options)
        return self._programs[key]


def _with_outputs(graph: Graph, outputs: Sequence[Value]) -> Graph:
    """The same graph with other outputs; what only the old ones need is dropped later."""
    inner = dict.fromkeys([*outputs])
    return Graph(graph.inputs, list(inner), graph.nodes, graph.name, graph.source)


Report = Callable[[int, int], object]
"""Called with how many pictures were looked at, and how many there are."""
