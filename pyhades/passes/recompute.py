"""Enlarge an image twice instead of keeping it, where a Concat reads it long after others do."""

from __future__ import annotations

from pyhades.ir.graph import Graph, Node, Value
from pyhades.passes.rewriting import Rewrite

LARGE = 16 << 20
"""Bytes from which a second pass over the image costs less than the memory is worth."""


def recompute(graph: Graph) -> Graph:
    """Give a Concat its own copy of a large Resize that other nodes read before.

    The result of the Concat is twice as large and exists for as long as its first part; a decoder
    that joins its input with what it made of it would hold it all along. Run this after the last
    elimination of common subexpressions.
    """
    rewrite = Rewrite(graph)
    readers = rewrite.graph.consumers()
    for node in rewrite.nodes:
        if node.op != "Concat":
            continue
        inputs = [
            _again(rewrite, node, value) if _is_kept_for_long(value, readers) else value
            for value in node.inputs
            if value is not None
        ]
        if inputs != node.inputs:
            rewrite.replace(node, "Concat", inputs, **node.attributes)
    return rewrite.finish()


def _is_kept_for_long(value: Value, readers: dict[Value, list[Node]]) -> bool:
    """Whether ``value`` is a large enlargement that something else reads as well."""
    resize = value.producer
    if resize is None or resize.op != "Resize" or len(readers[value]) < 2:
        return False
    source = resize.inputs[0]
    return source is not None and _nbytes(value) >= max(LARGE, 2 * _nbytes(source))


def _again(rewrite: Rewrite, concat: Node, value: Value) -> Value:
    resize = value.producer
    assert resize is not None
    name = f"{value.name}.again"
    return rewrite.new("Resize", rewrite.inputs(resize), name, concat, **resize.attributes)


def _nbytes(value: Value) -> int:
    assert value.type is not None
    count = value.type.dtype.itemsize
    for extent in value.type.static_shape:
        count *= extent
    return count
