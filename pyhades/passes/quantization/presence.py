"""Whether a network is quantised at all."""

from __future__ import annotations

from pyhades.ir.graph import Graph

_OPERATORS = {
    *("QuantizeLinear", "DequantizeLinear", "FakeQuantize", "ConvInteger", "MatMulInteger"),
}


def is_quantised(graph: Graph) -> bool:
    """Whether some operator of ``graph``, as it was read or made, knows of grids."""
    return any(node.op in _OPERATORS for node in graph.nodes)
