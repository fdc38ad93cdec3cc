"""Grids of positions, and sampling at them."""

from __future__ import annotations

from typing import Any

from pyhades.ir.graph import Node
from pyhades.ir.ops.elementwise import widened
from pyhades.ir.registry import Array, Operator, attribute, elements, ir_op
from pyhades.ir.shapes import UNKNOWN, Shape, UnknownShape, agree, fail, integers_of, shape_of
from pyhades.numerics.grid import GRID_MODES, GRID_PADDINGS, affine_grid, grid_sample

_SPATIAL_RANKS = (1, 2, 3)


@ir_op("AffineGrid", "F, int64 -> F", align_corners=0)
class AffineGrid(Operator):
    """The positions [n, *spatial, axes] to which matrices [n, axes, axes + 1] move an image's."""

    def shapes(self, node: Node) -> list[Shape]:
        theta = shape_of(node, 0)
        if len(theta) != 3 or theta[1:] not in ((2, 3), (3, 4), (UNKNOWN, UNKNOWN)):
            fail(node, f"theta has shape {theta}, expected [n, 2, 3] or [n, 3, 4]")
        try:
            size = integers_of(node, 1)
        except UnknownShape:
            axes = theta[1]
            rank = axes + 2 if isinstance(axes, int) else 0
            if not rank:
                raise
            return [(theta[0], *[UNKNOWN] * (rank - 2), axes)]
        assert size is not None
        if len(size) - 2 != theta[1] or min(size) < 1:
            fail(node, f"size {size} does not fit matrices of shape {theta[1:]}")
        images = agree(node, theta[0], size[0], "matrices and images of size")
        return [(images, *size[2:], len(size) - 2)]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        theta, size = inputs
        spatial = [int(extent) for extent in size[2:]]
        y = affine_grid(widened(theta), spatial, bool(attribute(node, "align_corners")))
        return [y.astype(theta.dtype, copy=False)]


@ir_op("GridSample", "F, F1 -> F", align_corners=0, mode="linear", padding_mode="zeros")
class GridSample(Operator):
    """x [n, c, *spatial] at the positions of a grid [n, *out, axes], as [n, c, *out]."""

    def shapes(self, node: Node) -> list[Shape]:
        x, grid = shape_of(node, 0), shape_of(node, 1)
        rank = len(x) - 2
        if rank not in _SPATIAL_RANKS or len(grid) != len(x):
            fail(node, f"x of rank {len(x)} and a grid of rank {len(grid)} do not fit")
        agree(node, grid[-1], rank, "coordinates per position and spatial axes")
        if 0 in x[2:] and 0 not in grid:
            fail(node, "x has no pixels to sample")
        for name, known in (("mode", GRID_MODES), ("padding_mode", GRID_PADDINGS)):
            if attribute(node, name) not in known:
                fail(node, f"{name} {attribute(node, name)!r} is none of {', '.join(known)}")
        return [(agree(node, x[0], grid[0], "images of x and of the grid"), x[1], *grid[1:-1])]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, grid = inputs
        mode, padding = attribute(node, "mode"), attribute(node, "padding_mode")
        align_corners = bool(attribute(node, "align_corners"))
        y = grid_sample(widened(x), widened(grid), mode, padding, align_corners)
        return [y.astype(x.dtype, copy=False)]

    def flops(self, node: Node) -> int:
        rank = len(shape_of(node, 0)) - 2
        taps = {"nearest": 0, "linear": 2, "cubic": 4}[attribute(node, "mode")]
        return int(2 * taps**rank * elements(node.outputs[0].type))
