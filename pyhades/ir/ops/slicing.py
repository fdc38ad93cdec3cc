"""Slice, Pad and CenterCropPad."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pyhades.ir.graph import Dim, Node
from pyhades.ir.ops.layout import Movement
from pyhades.ir.registry import Array, attribute, ir_op
from pyhades.ir.shapes import (
    UNKNOWN,
    Shape,
    UnknownShape,
    concrete,
    fail,
    integers_of,
    normalize_axes,
    shape_of,
)
from pyhades.numerics.layout import PAD_MODES, pad


def slice_range(start: int, end: int, step: int, extent: int) -> range:
    """The positions that a Slice visits along one axis of ``extent`` elements.

    Negative ``start`` and ``end`` count from the back; whatever is outside is clamped.

    Examples
    --------
    >>> list(slice_range(-1, -100, -2, 5))
    [4, 2, 0]
    """
    start = start + extent if start < 0 else start
    end = end + extent if end < 0 else end
    if step > 0:
        return range(min(max(start, 0), extent), min(max(end, 0), extent), step)
    return range(min(max(start, 0), extent - 1), min(max(end, -1), extent - 1), step)


@ir_op("Slice", "T, I, I, I?, I? -> T")
class Slice(Movement):
    """Every step-th element from start to end along each of ``axes``."""

    deciding = (1, 2, 3, 4)

    def ranges(
        self, node: Node, x: Shape, parameters: list[list[int] | None]
    ) -> dict[int, range | None]:
        """Positions per sliced axis; None where the extent is unknown and matters."""
        starts, ends, stated, steps = parameters
        starts, ends = starts or [], ends or []
        axes = normalize_axes(node, range(len(starts)) if stated is None else stated, len(x))
        steps = [1] * len(starts) if steps is None else steps
        if not len(starts) == len(ends) == len(axes) == len(steps):
            fail(
                node,
                f"{len(starts)} starts, {len(ends)} ends, {len(axes)} axes, {len(steps)} steps",
            )
        if 0 in steps:
            fail(node, "a step must not be zero")
        ranges: dict[int, range | None] = {}
        for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
            extent = x[axis]
            ranges[axis] = (
                slice_range(start, end, step, extent) if isinstance(extent, int) else None
            )
        return ranges

    def shapes(self, node: Node) -> list[Shape]:
        x = shape_of(node, 0)
        result: list[Dim] = list(x)
        try:
            parameters = [integers_of(node, index) for index in range(1, 5)]
        except UnknownShape:
            return [self._unknown_along_axes(node, x)]
        for axis, positions in self.ranges(node, x, parameters).items():
            result[axis] = UNKNOWN if positions is None else len(positions)
        return [tuple(result)]

    @staticmethod
    def _unknown_along_axes(node: Node, x: Shape) -> Shape:
        try:
            stated = integers_of(node, 3)
        except UnknownShape:
            stated = None
        axes = range(len(x)) if stated is None else normalize_axes(node, stated, len(x))
        return tuple(UNKNOWN if axis in axes else dim for axis, dim in enumerate(x))

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, *rest = (*inputs, None, None)[:5]
        listed = [None if p is None else [int(number) for number in p.reshape(-1)] for p in rest]
        index: list[slice] = [slice(None)] * x.ndim
        for axis, positions in self.ranges(node, x.shape, listed).items():
            assert positions is not None
            stop = None if positions.stop < 0 else positions.stop
            index[axis] = slice(positions.start, stop, positions.step) if positions else slice(0)
        return [np.ascontiguousarray(x[tuple(index)])]


@ir_op("Pad", "T, int64, T?, I? -> T", mode="constant")
class Pad(Movement):
    """Extend (or, by negative pads, crop) each of ``axes`` at both ends."""

    deciding = (1, 3)

    def pads(
        self, node: Node, rank: int, flat: list[int], stated: list[int] | None
    ) -> list[tuple[int, int]]:
        """Elements to add before and after, per axis of x."""
        axes = normalize_axes(node, range(rank) if stated is None else stated, rank)
        if len(flat) != 2 * len(axes):
            fail(node, f"pads {flat} do not fit {len(axes)} axes")
        if attribute(node, "mode") not in PAD_MODES:
            fail(node, f"mode {attribute(node, 'mode')!r} is unknown")
        pads = [(0, 0)] * rank
        for axis, before, after in zip(axes, flat, flat[len(axes) :], strict=False):
            pads[axis] = (before, after)
        return pads

    def shapes(self, node: Node) -> list[Shape]:
        x = shape_of(node, 0)
        try:
            pads = self.pads(node, len(x), integers_of(node, 1) or [], integers_of(node, 3))
        except UnknownShape:
            return [(UNKNOWN,) * len(x)]
        result: list[Dim] = []
        for dim, (before, after) in zip(x, pads, strict=True):
            if isinstance(dim, str):
                result.append(dim if before == after == 0 else UNKNOWN)
                continue
            if dim + min(before, 0) + min(after, 0) < 0:
                fail(node, f"pads ({before}, {after}) crop more than an extent of {dim}")
            if dim == 0 and max(before, after) > 0 and attribute(node, "mode") != "constant":
                fail(node, "an empty axis can only be padded with a constant")
            result.append(dim + before + after)
        return [tuple(result)]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, flat, value, stated = (*inputs, None, None)[:4]
        axes = None if stated is None else [int(axis) for axis in stated.reshape(-1)]
        pads = self.pads(node, x.ndim, [int(pad) for pad in flat], axes)
        cropped = x[
            tuple(
                slice(max(-before, 0), dim - max(-after, 0))
                for dim, (before, after) in zip(x.shape, pads, strict=True)
            )
        ]
        grown = [(max(before, 0), max(after, 0)) for before, after in pads]
        fill = 0 if value is None or value.size == 0 else value.reshape(())
        return [pad(cropped, grown, attribute(node, "mode"), fill)]


def centred_pads(have: Sequence[int], wanted: Sequence[int]) -> list[tuple[int, int]]:
    """What to add (or, negative, to take away) before and after, per axis."""
    pads = []
    for extent, target in zip(have, wanted, strict=True):
        missing = target - extent
        before = missing // 2 if missing > 0 else -(-missing // 2)
        pads.append((before, missing - before))
    return pads


@ir_op("CenterCropPad", "T, I -> T", axes=None)
class CenterCropPad(Movement):
    """The middle of ``axes``, or them in the middle of zeros."""

    def wanted(self, node: Node, x: Shape, target: list[int]) -> Shape:
        """The shape after cropping and padding."""
        stated = attribute(node, "axes")
        axes = normalize_axes(node, range(len(x)) if stated is None else stated, len(x))
        if len(target) != len(axes) or min(target, default=0) < 0:
            fail(node, f"the shape {target} does not fit {len(axes)} axes")
        result = list(x)
        for axis, extent in zip(axes, target, strict=True):
            result[axis] = extent
        return tuple(result)

    def shapes(self, node: Node) -> list[Shape]:
        x = shape_of(node, 0)
        try:
            return [self.wanted(node, x, integers_of(node, 1) or [])]
        except UnknownShape:
            return [(UNKNOWN,) * len(x)]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, target = inputs
        wanted = concrete(self.wanted(node, x.shape, [int(extent) for extent in target]))
        pads = centred_pads(x.shape, wanted)
        inner = tuple(
            slice(max(-b, 0), n - max(-e, 0)) for n, (b, e) in zip(x.shape, pads, strict=True)
        )
        return [np.pad(x[inner], [(max(b, 0), max(e, 0)) for b, e in pads])]
