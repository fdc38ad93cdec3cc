"""Numbers are put on their grids by element-wise steps, which fuse with what is around them."""

from __future__ import annotations

from pyhades.ir.graph import Graph, Node
from pyhades.passes.decompose.on_grid import FLOAT32, Parameters
from pyhades.passes.decompose.rule import Builder, dtype_of, source
from pyhades.passes.quantization.counting import count_steps
from pyhades.passes.rewriting import Rewrite


def emulate_quantization(graph: Graph) -> Graph:
    """Spell every FakeQuantize out; the values that they make keep the types that name the grid."""
    rewrite = Rewrite(count_steps(graph))
    for node in rewrite.nodes:
        if node.op == "FakeQuantize":
            node.inputs = rewrite.inputs(node)
            _spell_out(Builder(rewrite, node), node)
    return rewrite.finish()


def _spell_out(build: Builder, node: Node) -> None:
    parameters, to = Parameters(build, node), dtype_of(node.outputs[0])
    x = build.cast(source(node), FLOAT32, "float")
    parameters.scaled(parameters.limited(parameters.steps(x)), to)
