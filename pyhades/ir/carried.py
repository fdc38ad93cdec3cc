"""Which operators leave numbers on the grid that they lie on: those that only move or choose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pyhades.ir.graph import Node, Value
from pyhades.ir.quantization import Quantization
from pyhades.ir.registry import attribute

MOVES = (
    *("Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Slice", "Split"),
    *("Gather", "GatherND", "GatherElements", "Expand", "Tile", "DepthToSpace", "SpaceToDepth"),
    *("MaxPool", "GlobalMaxPool", "Resize", "Concat", "Roll", "Dropout"),
)
"""Operators whose results hold nothing but numbers of their first input (Concat: of any)."""


def moves(node: Node) -> bool:
    """Whether the first result of ``node`` holds nothing but numbers of its inputs."""
    if node.op == "Resize":
        mode = attribute(node, "coordinate_transformation_mode")
        return bool(attribute(node, "mode") == "nearest" and mode != "tf_crop_and_resize")
    return node.op in MOVES


def pads_with_zeros(node: Node) -> bool:
    """Whether ``node`` pads floats with 0, which is on every grid (of integers, 0 may not be)."""
    fill = node.input(2)
    if node.op != "Pad" or attribute(node, "mode") != "constant":
        return False
    return fill is None or (fill.data is not None and not fill.data.any())


def carried(node: Node) -> Quantization | None:
    """The grid of the results of ``node``, from those of its inputs."""
    if not (moves(node) or pads_with_zeros(node)):
        return None
    sources = node.inputs if node.op == "Concat" else node.inputs[:1]
    grids = [_grid(value) for value in sources]
    first = grids[0]
    if first is None or not all(first.same(other) for other in grids[1:]):
        return None
    if first.axis is None:
        return first
    if first.scale.ndim > 1 and node.op == "Transpose":
        return _turned(node, first)
    follow = _AXES.get(node.op)
    axis = None if follow is None or first.scale.ndim > 1 else follow(node, first.axis)
    return None if axis is None else replace(first, axis=axis)


def _grid(value: Value | None) -> Quantization | None:
    return None if value is None or value.type is None else value.type.quantization


def _turned(node: Node, grid: Quantization) -> Quantization | None:
    """A grid whose scales have the axes of the tensor, along with its axes."""
    axis = None if grid.axis is None else _transposed(node, grid.axis)
    perm = attribute(node, "perm")
    if axis is None:
        return None
    zero = grid.zero_point
    turned = zero.transpose(perm) if zero is not None and zero.ndim > 1 else zero
    return replace(grid, scale=grid.scale.transpose(perm), zero_point=turned, axis=axis)


def _transposed(node: Node, axis: int) -> int | None:
    perm = attribute(node, "perm")
    kind = node.outputs[0].type
    if kind is None or kind.shape is None:
        return None
    order = list(perm) if perm is not None else list(range(len(kind.shape)))[::-1]
    return order.index(axis)


def _reshaped(node: Node, axis: int) -> int | None:
    """The axis before which, and along which, as many elements lie as before."""
    source = node.inputs[0]
    assert source is not None and source.type is not None
    kinds = (source.type, node.outputs[0].type)
    if any(kind is None or not kind.is_static for kind in kinds):
        return None
    before, after = (kind.static_shape for kind in kinds if kind is not None)
    for position in range(len(after)):
        if after[position] == before[axis] and _size(after[:position]) == _size(before[:axis]):
            return position
    return None


def _size(extents: tuple[int, ...]) -> int:
    count = 1
    for extent in extents:
        count *= extent
    return count


_AXES: dict[str, Callable[[Node, int], int | None]] = {
    "Identity": lambda node, axis: axis,
    "Transpose": _transposed,
    "Reshape": _reshaped,
    "Flatten": _reshaped,
    "Squeeze": _reshaped,
    "Unsqueeze": _reshaped,
}
"""Where the axis of the scales goes, for operators that keep them all."""
