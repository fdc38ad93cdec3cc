"""Nodes in an order in which every value is made before it is read."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence

from pyhades.onnx.wire import Record


def sorted_nodes(nodes: Sequence[Record]) -> tuple[list[int], list[int]]:
    """Indices of ``nodes`` in a working order, and of those in cycles, which have none.

    The order of the file is kept where it works: of the nodes that could come next, the first does.
    """
    makers = {name: index for index, node in enumerate(nodes) for name in node["outputs"] if name}
    waiting: list[int] = []
    readers: dict[int, list[int]] = {}
    for index, node in enumerate(nodes):
        sources = {makers[name] for name in names_read(node) if name in makers}
        waiting.append(len(sources))
        for source in sources:
            readers.setdefault(source, []).append(index)
    ready = [index for index, count in enumerate(waiting) if not count]
    order = []
    while ready:
        index = heapq.heappop(ready)
        order.append(index)
        for reader in readers.get(index, ()):
            waiting[reader] -= 1
            if not waiting[reader]:
                heapq.heappush(ready, reader)
    return order, _cycle(waiting, readers)


def _cycle(waiting: Sequence[int], readers: dict[int, list[int]]) -> list[int]:
    """One cycle among the nodes that still wait; empty where none does."""
    stuck = {index for index, count in enumerate(waiting) if count}
    if not stuck:
        return []
    sources = {reader: source for source in stuck for reader in readers.get(source, ())}
    path: list[int] = []
    seen: set[int] = set()
    node = min(stuck)
    while node not in seen:
        seen.add(node)
        path.append(node)
        node = sources[node]
    return path[path.index(node) :][::-1]


def names_read(node: Record) -> Iterator[str]:
    """Names that a node reads, and that the graphs in its attributes read from around them."""
    yield from node["inputs"]
    for attribute in node["attributes"]:
        graphs = [attribute["g"]] if attribute["g"] is not None else attribute["graphs"]
        for graph in graphs:
            yield from _free_names(graph)


def _free_names(graph: Record) -> Iterator[str]:
    own = {info["name"] for info in graph["inputs"]}
    own |= {tensor["name"] for tensor in graph["initializers"]}
    own |= {name for node in graph["nodes"] for name in node["outputs"]}
    for node in graph["nodes"]:
        yield from (name for name in names_read(node) if name not in own)
    yield from (info["name"] for info in graph["outputs"] if info["name"] not in own)
