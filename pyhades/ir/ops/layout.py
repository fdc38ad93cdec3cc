"""Operators that move elements without looking at them: reshape, transpose, concat, split, ..."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from pyhades.ir.graph import Dim, Node
from pyhades.ir.registry import Array, Operator, attribute, ir_op
from pyhades.ir.shapes import (
    UNKNOWN,
    Shape,
    UnknownShape,
    agree,
    broadcast,
    constant_of,
    fail,
    integers_of,
    normalize_axes,
    normalize_axis,
    product,
    shape_of,
)
from pyhades.numerics.layout import depth_to_space, space_to_depth


class Movement(Operator):
    """An operator that computes nothing."""

    def flops(self, node: Node) -> int:
        return 0


def unknown_of_rank_in(node: Node, index: int) -> Shape:
    """A shape of unknown extents whose rank is the length of the vector input ``index``."""
    (rank,) = shape_of(node, index)
    if isinstance(rank, str):
        raise UnknownShape
    return (UNKNOWN,) * rank


@ir_op("Identity", "T -> T")
class Identity(Movement):
    """The input."""

    def shapes(self, node: Node) -> list[Shape]:
        return [shape_of(node, 0)]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        return [inputs[0]]


@ir_op("Dropout", "T, F?, bool? -> T, bool?", seed=None)
class Dropout(Movement):
    """Inference: the input, and a mask of ones."""

    def shapes(self, node: Node) -> list[Shape]:
        with suppress(UnknownShape):
            self._refuse_training(node, constant_of(node, 2))
        return [shape_of(node, 0)] * 2

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, _, training = (*inputs, None, None)[:3]
        self._refuse_training(node, training)
        return [x, np.ones(x.shape, np.bool_)][: len(node.outputs)]

    @staticmethod
    def _refuse_training(node: Node, training: Array | None) -> None:
        if training is not None and training.any():
            fail(node, "training_mode is set; export the model in evaluation mode")


@ir_op("BitCast", "T -> *", to=None)
class BitCast(Movement):
    """The same bits, read as another dtype of that width."""

    def dtypes(self, node: Node) -> list[np.dtype[Any]]:
        return [np.dtype(attribute(node, "to"))]

    def shapes(self, node: Node) -> list[Shape]:
        x, to = node.inputs[0], np.dtype(attribute(node, "to"))
        assert x is not None and x.type is not None
        if x.type.dtype.itemsize != to.itemsize:
            fail(node, f"{x.type.dtype} and {to} differ in width")
        return [shape_of(node, 0)]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        return [inputs[0].view(np.dtype(attribute(node, "to")))]


@ir_op("Reshape", "T, int64 -> T", allowzero=0)
class Reshape(Movement):
    """New shape, same elements; -1 is computed and 0 copies the extent (unless allowzero)."""

    def shapes(self, node: Node) -> list[Shape]:
        try:
            wanted = integers_of(node, 1) or []
        except UnknownShape:
            return [unknown_of_rank_in(node, 1)]
        return [self._resolve(node, shape_of(node, 0), wanted)]

    def _resolve(self, node: Node, x: Shape, wanted: list[int]) -> Shape:
        zeros, hole = attribute(node, "allowzero"), wanted.count(-1)
        if min(wanted, default=0) < -1 or hole > 1 or (zeros and hole and 0 in wanted):
            fail(node, f"shape {wanted} is not valid")
        shape: list[Dim] = list(wanted)
        copied = set()
        for axis, extent in enumerate(wanted):
            if extent == 0 and not zeros:
                if axis >= len(x):
                    fail(node, f"shape {wanted} copies axis {axis} of a tensor of rank {len(x)}")
                shape[axis] = x[axis]
                copied.add(axis)
        # Copied extents cancel, so a symbolic batch does not keep -1 from being computed.
        total = product([dim for axis, dim in enumerate(x) if axis not in copied])
        rest = product([dim for i, dim in enumerate(shape) if i not in copied and dim != -1])
        if hole:
            shape[wanted.index(-1)] = self._quotient(node, total, rest, wanted)
        elif isinstance(total, int) and isinstance(rest, int) and total != rest:
            fail(node, f"shape {wanted} does not fit the number of elements")
        return tuple(shape)

    @staticmethod
    def _quotient(node: Node, total: Dim, rest: Dim, wanted: list[int]) -> Dim:
        if rest == 1:
            return total
        if isinstance(total, str) or isinstance(rest, str):
            return UNKNOWN
        if rest == 0 or total % rest:
            fail(node, f"shape {wanted} does not fit the number of elements")
        return total // rest

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        shape = self._resolve(node, inputs[0].shape, [int(extent) for extent in inputs[1]])
        return [inputs[0].reshape(shape)]


@ir_op("Flatten", "T -> T", axis=1)
class Flatten(Movement):
    """A matrix: extents before ``axis`` times extents from it."""

    def shapes(self, node: Node) -> list[Shape]:
        x = shape_of(node, 0)
        axis = attribute(node, "axis")
        if not -len(x) <= axis <= len(x):
            fail(node, f"axis {axis} is outside [{-len(x)}, {len(x)}]")
        axis = axis + len(x) if axis < 0 else axis
        return [(product(x[:axis]), product(x[axis:]))]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, axis = inputs[0], attribute(node, "axis")
        axis = axis + x.ndim if axis < 0 else axis
        return [x.reshape(math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))]


@ir_op("Transpose", "T -> T", perm=None)
class Transpose(Movement):
    """Permute the axes; without ``perm``, reverse them."""

    def shapes(self, node: Node) -> list[Shape]:
        x = shape_of(node, 0)
        perm = attribute(node, "perm")
        order = list(range(len(x)))[::-1] if perm is None else list(perm)
        if sorted(order) != list(range(len(x))):
            fail(node, f"perm {order} is not a permutation of {len(x)} axes")
        return [tuple(x[axis] for axis in order)]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        return [np.ascontiguousarray(inputs[0].transpose(attribute(node, "perm")))]


@ir_op("Squeeze", "T, int64? -> T")
class Squeeze(Movement):
    """Drop axes of extent 1: those named by the second input, or all."""

    def shapes(self, node: Node) -> list[Shape]:
        x, stated = shape_of(node, 0), integers_of(node, 1)
        if stated is None:
            if any(isinstance(dim, str) for dim in x):
                raise UnknownShape
            return [tuple(dim for dim in x if dim != 1)]
        axes = normalize_axes(node, stated, len(x))
        for axis in axes:
            agree(node, x[axis], 1, f"the extent of axis {axis} and 1")
        return [tuple(dim for axis, dim in enumerate(x) if axis not in axes)]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, axes = (*inputs, None)[:2]
        return [x.squeeze() if axes is None else x.squeeze(tuple(int(axis) for axis in axes))]


@ir_op("Unsqueeze", "T, int64 -> T")
class Unsqueeze(Movement):
    """Insert axes of extent 1 at positions of the result."""

    def shapes(self, node: Node) -> list[Shape]:
        rest, stated = list(shape_of(node, 0)), integers_of(node, 1) or []
        rank = len(rest) + len(stated)
        axes = normalize_axes(node, stated, rank)
        return [tuple(1 if axis in axes else rest.pop(0) for axis in range(rank))]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        return [np.expand_dims(inputs[0], tuple(int(axis) for axis in inputs[1].reshape(-1)))]


@ir_op("Concat", "T... -> T", axis=None)
class Concat(Movement):
    """Join along ``axis``."""

    def shapes(self, node: Node) -> list[Shape]:
        shapes = [shape_of(node, index) for index in range(len(node.inputs))]
        if len({len(shape) for shape in shapes}) != 1:
            fail(node, "the ranks differ")
        axis = normalize_axis(node, attribute(node, "axis"), len(shapes[0]))
        result, total = list(shapes[0]), shapes[0][axis]
        for shape in shapes[1:]:
            other = shape[axis]
            known = isinstance(total, int) and isinstance(other, int)
            total = total + other if known else UNKNOWN  # type: ignore[operator]
            for a, dim in enumerate(shape):
                if a != axis:
                    result[a] = agree(node, result[a], dim, f"extents of axis {a}")
        result[axis] = total
        return [tuple(result)]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        return [np.concatenate(inputs, axis=attribute(node, "axis"))]


@ir_op("Split", "T, int64? -> T...", axis=0, num_outputs=None)
class Split(Movement):
    """Cut along ``axis`` into the sizes of the second input, or into equal parts."""

    def sizes(self, node: Node, extent: int, stated: list[int] | None) -> list[int]:
        """Extent of each part."""
        count = len(node.outputs)
        if stated is None:
            if attribute(node, "num_outputs") not in (None, count):
                fail(node, f"num_outputs {attribute(node, 'num_outputs')} but {count} outputs")
            part = -(-extent // count)
            stated = [part] * (count - 1) + [extent - part * (count - 1)]
        if len(stated) != count or sum(stated) != extent or min(stated) < 0:
            fail(node, f"parts {stated} do not fit {count} outputs and an extent of {extent}")
        return stated

    def shapes(self, node: Node) -> list[Shape]:
        x, count = shape_of(node, 0), len(node.outputs)
        axis = normalize_axis(node, attribute(node, "axis"), len(x))
        parts: Sequence[Dim] = [UNKNOWN] * count
        with suppress(UnknownShape):
            stated, extent = integers_of(node, 1), x[axis]
            if isinstance(extent, int):
                parts = self.sizes(node, extent, stated)
            elif stated is not None:
                parts = stated
        return [(*x[:axis], part, *x[axis + 1 :]) for part in parts]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, stated = (*inputs, None)[:2]
        axis = attribute(node, "axis")
        listed = None if stated is None else [int(part) for part in stated]
        ends = np.cumsum(self.sizes(node, x.shape[axis], listed))
        return [np.ascontiguousarray(part) for part in np.split(x, ends[:-1], axis=axis)]


@ir_op("Expand", "T, int64 -> T")
class Expand(Movement):
    """Broadcast to the broadcast of both shapes."""

    def shapes(self, node: Node) -> list[Shape]:
        try:
            wanted = integers_of(node, 1) or []
        except UnknownShape:
            target, x = unknown_of_rank_in(node, 1), shape_of(node, 0)
            return [(UNKNOWN,) * max(len(target), len(x))]
        return [broadcast(node, shape_of(node, 0), tuple(wanted))]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        shape = np.broadcast_shapes(inputs[0].shape, tuple(int(extent) for extent in inputs[1]))
        return [np.broadcast_to(inputs[0], shape).copy()]


@ir_op("Tile", "T, int64 -> T")
class Tile(Movement):
    """Repeat along each axis."""

    def shapes(self, node: Node) -> list[Shape]:
        x = shape_of(node, 0)
        try:
            repeats = integers_of(node, 1) or []
        except UnknownShape:
            return [(UNKNOWN,) * len(x)]
        if len(repeats) != len(x) or min(repeats, default=0) < 0:
            fail(node, f"repeats {repeats} do not fit a tensor of rank {len(x)}")
        return [
            tuple(
                dim * r if isinstance(dim, int) else dim if r == 1 else UNKNOWN
                for dim, r in zip(x, repeats, strict=True)
            )
        ]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        return [np.tile(inputs[0], tuple(int(count) for count in inputs[1]))]


def _blocks(node: Node, x: Shape) -> int:
    size = attribute(node, "blocksize")
    if len(x) != 4 or size is None or size < 1:
        fail(node, f"needs x [n, c, h, w] and a positive blocksize, has {size}")
    return int(size)


def _scaled(node: Node, dim: Dim, times: int, by: int, what: str) -> Dim:
    if isinstance(dim, str):
        return UNKNOWN
    if dim % by:
        fail(node, f"{what} {dim} is not divisible by {by}")
    return dim * times // by


@ir_op("DepthToSpace", "T -> T", blocksize=None, mode="DCR")
class DepthToSpace(Movement):
    """Channels to blocks of pixels; ``mode`` says whether blocks or depth vary slowest."""

    def shapes(self, node: Node) -> list[Shape]:
        x = shape_of(node, 0)
        size = _blocks(node, x)
        depth = _scaled(node, x[1], 1, size * size, "depth")
        return [(x[0], depth, *(_scaled(node, dim, size, 1, "extent") for dim in x[2:]))]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, size = inputs[0], _blocks(node, inputs[0].shape)
        return [depth_to_space(x, size, attribute(node, "mode") != "DCR")]


@ir_op("SpaceToDepth", "T -> T", blocksize=None, mode="DCR")
class SpaceToDepth(Movement):
    """Blocks of pixels to channels, the inverse of DepthToSpace in the same mode."""

    def shapes(self, node: Node) -> list[Shape]:
        x = shape_of(node, 0)
        size = _blocks(node, x)
        depth = _scaled(node, x[1], size * size, 1, "depth")
        return [(x[0], depth, *(_scaled(node, dim, 1, size, "extent") for dim in x[2:]))]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, size = inputs[0], _blocks(node, inputs[0].shape)
        return [space_to_depth(x, size, attribute(node, "mode") != "DCR")]
