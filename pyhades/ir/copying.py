"""A private copy of a graph."""

from __future__ import annotations

from pyhades.ir.graph import Graph, Node, Value


def clone(graph: Graph) -> Graph:
    """A graph of new nodes and values over the same constant data.

    Graphs in attributes are shared: nobody changes those.
    """
    twin: dict[Value, Value] = {
        value: Value(value.name, value.type, value.kept) for value in graph.values()
    }
    nodes = [
        Node(
            node.op,
            [None if value is None else twin[value] for value in node.inputs],
            [twin[value] for value in node.outputs],
            dict(node.attributes),
            node.name,
        )
        for node in graph.nodes
    ]
    return Graph(
        [twin[value] for value in graph.inputs],
        [twin[value] for value in graph.outputs],
        nodes,
        graph.name,
        graph.source,
        dict(graph.metadata),
    )
