"""Grids of positions as one matrix product."""

from __future__ import annotations

from pyhades.ir.graph import Node
from pyhades.ir.inference import constant
from pyhades.ir.registry import attribute
from pyhades.ir.shapes import shape
from pyhades.numerics.grid import base_grid
from pyhades.passes.decompose.rule import Builder, dtype_of, rule, source


@rule("AffineGrid")
def _affine_grid(build: Builder, node: Node) -> None:
    """The grid of the identity times the transposed matrices."""
    theta = source(node)
    _, *spatial, axes = shape(node.outputs[0])
    base = base_grid(spatial, bool(attribute(node, "align_corners")), dtype_of(theta))
    identity = constant(f"{build.name}.identity", base.reshape(1, -1, axes + 1))
    build.become_reshape(build.apply("MatMul", identity, build.transpose(theta, (0, 2, 1))))
