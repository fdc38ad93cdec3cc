"""NonMaxSuppression in two: a part of known sizes, for a kernel, and a list of what it found."""

from __future__ import annotations

from pyhades.ir.graph import Graph, Node, Value
from pyhades.ir.inference import infer_node
from pyhades.ir.registry import attribute


def separate_suppression(graph: Graph) -> Graph:
    """Replace NonMaxSuppression where a constant threshold is sound. The graph is changed."""
    nodes: list[Node] = []
    for node in graph.nodes:
        nodes += _separated(node) if node.op == "NonMaxSuppression" else [node]
    graph.nodes = nodes
    return graph


def _separated(node: Node) -> list[Node]:
    rows = node.outputs[0]
    overlap = node.input(3)
    if overlap is not None and overlap.data is None:
        return [node]  # its reference refuses what is no threshold
    parts = [Value(f"{rows.name}/chosen"), Value(f"{rows.name}/counts")]
    centred = {"center_point_box": attribute(node, "center_point_box")}
    suppress = Node("SuppressBoxes", list(node.inputs), parts, centred, node.name)
    infer_node(suppress)
    chosen = parts[0].type
    if chosen is None or not chosen.is_static or 0 in chosen.static_shape:
        return [node]
    return [suppress, Node("ListBoxes", list(parts), [rows], {}, node.name)]
