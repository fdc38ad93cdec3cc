"""Integers on their way from one float operator to another become floats on a grid."""

from __future__ import annotations

from collections.abc import Callable

from pyhades.ir.graph import Graph, Node
from pyhades.passes.decompose.rule import Builder
from pyhades.passes.quantization.products import multiply_floats
from pyhades.passes.quantization.tracing import Dequantized
from pyhades.passes.rewriting import Rewrite

_Rule = Callable[[Builder, Node], None]


def merge_quantization(graph: Graph) -> Graph:
    """Apply the rules until none applies. Types must be static."""
    while True:
        rewrite = Rewrite(graph)
        for node in rewrite.nodes:
            node.inputs = rewrite.inputs(node)
            rule = _RULES.get(node.op)
            if rule is not None:
                rule(Builder(rewrite, node), node)
        graph = rewrite.finish()
        if not rewrite.changed:
            return graph


def _dequantize(build: Builder, node: Node) -> None:
    """A DequantizeLinear of what a QuantizeLinear made."""
    real = Dequantized.of(build, node)
    if real is not None:
        build.rewrite.substitute(node.outputs[0], real)


_RULES: dict[str, _Rule] = {
    "DequantizeLinear": _dequantize,
    "Cast": multiply_floats,
}
