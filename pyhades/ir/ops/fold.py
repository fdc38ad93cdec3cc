"""Col2Im: blocks of a sliding window added up to an image."""

from __future__ import annotations

import math
from typing import Any

from pyhades.ir.graph import Node
from pyhades.ir.registry import Array, Operator, elements, ir_op
from pyhades.ir.shapes import UNKNOWN, Shape, UnknownShape, agree, fail, integers_of, shape_of
from pyhades.ir.window import Window, window
from pyhades.numerics.fold import fold


@ir_op(
    "Col2Im",
    "T, int64, int64 -> T",
    auto_pad="NOTSET",
    dilations=None,
    kernel_shape=None,
    pads=None,
    strides=None,
)
class Col2Im(Operator):
    """Columns [n, c * taps, blocks] as an image [n, c, *image_shape] of block_shape windows."""

    def window(self, node: Node, image: list[int], block: list[int]) -> Window:
        """The sliding window over the image."""
        if not image or len(image) != len(block) or min(image) < 1:
            fail(node, f"image_shape {image} and block_shape {block} do not fit each other")
        return window(node, image, block)

    def shapes(self, node: Node) -> list[Shape]:
        columns = shape_of(node, 0)
        if len(columns) != 3:
            fail(node, f"the columns have rank {len(columns)}, expected [n, c * taps, blocks]")
        try:
            image, block = integers_of(node, 1) or [], integers_of(node, 2) or []
        except UnknownShape:
            extent = shape_of(node, 1)[0]
            if not isinstance(extent, int):
                raise
            return [(columns[0], UNKNOWN, *[UNKNOWN] * extent)]
        geometry = self.window(node, image, block)
        blocks, taps = math.prod(map(int, geometry.output)), math.prod(block)
        agree(node, columns[2], blocks, "blocks and places of the window")
        if isinstance(columns[1], str):
            return [(columns[0], UNKNOWN, *image)]
        if columns[1] % taps:
            fail(node, f"{columns[1]} rows do not divide into the {taps} taps of a block")
        return [(columns[0], columns[1] // taps, *image)]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        columns, image, block = inputs
        extents = [int(extent) for extent in image]
        geometry = self.window(node, extents, [int(extent) for extent in block])
        return [fold(columns, extents, geometry)]

    def flops(self, node: Node) -> int:
        return elements(node.inputs[0].type)  # type: ignore[union-attr]
