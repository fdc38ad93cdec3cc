"""Operators that pick elements; how many they find depends on the data."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np

from pyhades.ir.graph import Node
from pyhades.ir.ops.layout import Movement
from pyhades.ir.registry import Array, Operator, attribute, elements, ir_op
from pyhades.ir.shapes import (
    UNKNOWN,
    Shape,
    UnknownShape,
    agree,
    constant_of,
    fail,
    integers_of,
    normalize_axis,
    shape_of,
)
from pyhades.numerics.layout import reverse_sequence
from pyhades.numerics.selection import compress, list_boxes, non_zero, suppress_boxes, unique


@ir_op("NonZero", "T -> int64")
class NonZero(Movement):
    """Positions of the elements that are not zero, one column each."""

    sizes_depend_on_data = True

    def shapes(self, node: Node) -> list[Shape]:
        return [(len(shape_of(node, 0)), UNKNOWN)]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        return [non_zero(inputs[0])]


def _axis(node: Node, rank: int) -> int | None:
    axis = attribute(node, "axis")
    return None if axis is None else normalize_axis(node, axis, rank)


@ir_op("Compress", "T, bool -> T", axis=None)
class Compress(Movement):
    """Slices along ``axis``, or elements of the flattened tensor, where the condition holds."""

    sizes_depend_on_data = True

    def shapes(self, node: Node) -> list[Shape]:
        x = shape_of(node, 0)
        if len(shape_of(node, 1)) != 1:
            fail(node, "the condition must be a vector")
        axis = _axis(node, len(x))
        return [(UNKNOWN,) if axis is None else (*x[:axis], UNKNOWN, *x[axis + 1 :])]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, condition = inputs
        axis = _axis(node, x.ndim)
        extent = x.size if axis is None else x.shape[axis]
        if condition[extent:].any():
            fail(node, f"the condition picks a slice beyond an extent of {extent}")
        return [compress(x, condition, axis)]


@ir_op("Unique", "T -> T, int64?, int64?, int64?", axis=None, sorted=1)
class Unique(Operator):
    """Slices or elements once each, where they occur first, which each is, and how often."""

    sizes_depend_on_data = True

    def shapes(self, node: Node) -> list[Shape]:
        x = shape_of(node, 0)
        axis = _axis(node, len(x))
        values = (UNKNOWN,) if axis is None else (*x[:axis], UNKNOWN, *x[axis + 1 :])
        return [values, (UNKNOWN,), (UNKNOWN,), (UNKNOWN,)][: len(node.outputs)]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x = inputs[0]
        found = unique(x, _axis(node, x.ndim), bool(attribute(node, "sorted")))
        return list(found)[: len(node.outputs)]


class Suppression(Operator):
    """Boxes that overlap no better one of their class too much."""

    def check(self, node: Node) -> tuple[Shape, Shape]:
        """The shapes of boxes and scores."""
        boxes, scores = shape_of(node, 0), shape_of(node, 1)
        if len(boxes) != 3 or len(scores) != 3:
            fail(node, "needs boxes [batch, n, 4] and scores [batch, classes, n]")
        agree(node, boxes[2], 4, "the numbers of a box and 4")
        agree(node, boxes[0], scores[0], "batch extents of boxes and scores")
        agree(node, boxes[1], scores[2], "numbers of boxes and of scores")
        if attribute(node, "center_point_box") not in (0, 1):
            fail(node, f"center_point_box {attribute(node, 'center_point_box')} is unknown")
        with suppress(UnknownShape):
            self.check_threshold(node, constant_of(node, 3))
        return boxes, scores

    @staticmethod
    def check_threshold(node: Node, overlap: Array | None) -> None:
        """Refuse what is no share."""
        if overlap is not None and not (overlap.size == 1 and 0 <= overlap.reshape(())[()] <= 1):
            fail(node, f"the threshold of overlaps must lie in [0, 1], it is {overlap.tolist()}")

    def suppressed(self, node: Node, inputs: tuple[Any, ...]) -> tuple[Array, Array]:
        """Boxes that remain, and how many."""
        boxes, scores, most, overlap, score = (*inputs, None, None, None)[:5]
        count = 0 if most is None else max(int(most.reshape(())), 0)
        self.check_threshold(node, overlap)
        threshold = np.float32(0) if overlap is None else overlap.reshape(())[()]
        least = None if score is None else score.reshape(())[()]
        centred = bool(attribute(node, "center_point_box"))
        return suppress_boxes(boxes, scores, count, threshold, least, centred)

    def flops(self, node: Node) -> int:
        return 16 * elements(node.inputs[1].type)  # type: ignore[union-attr]


_SUPPRESSION = "float32, float32, int64?, float32?, float32?"


@ir_op("NonMaxSuppression", f"{_SUPPRESSION} -> int64", center_point_box=0)
class NonMaxSuppression(Suppression):
    """Boxes that overlap no better one too much, as rows (batch entry, class, box)."""

    sizes_depend_on_data = True

    def shapes(self, node: Node) -> list[Shape]:
        self.check(node)
        return [(UNKNOWN, 3)]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        return [list_boxes(*self.suppressed(node, inputs))]


@ir_op("SuppressBoxes", f"{_SUPPRESSION} -> int64, int64", center_point_box=0)
class SuppressBoxes(Suppression):
    """The part of NonMaxSuppression whose sizes are known: indices per class, and how many."""

    def shapes(self, node: Node) -> list[Shape]:
        _, scores = self.check(node)
        room = scores[2]
        with suppress(UnknownShape):
            most = integers_of(node, 2) or [0]
            room = UNKNOWN if isinstance(room, str) else max(min(most[0], room), 0)
        return [(*scores[:2], room), scores[:2]]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        return list(self.suppressed(node, inputs))


@ir_op("ListBoxes", "int64, int64 -> int64")
class ListBoxes(Movement):
    """The part of NonMaxSuppression whose size depends on data: its rows."""

    sizes_depend_on_data = True

    def shapes(self, node: Node) -> list[Shape]:
        chosen, counts = shape_of(node, 0), shape_of(node, 1)
        if len(chosen) != 3 or len(counts) != 2:
            fail(node, "needs chosen boxes [batch, classes, most] and counts [batch, classes]")
        return [(UNKNOWN, 3)]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        return [list_boxes(*inputs)]


@ir_op("ReverseSequence", "T, int64 -> T", batch_axis=1, time_axis=0)
class ReverseSequence(Movement):
    """Of each batch entry, the first elements along the time axis in reverse."""

    def axes(self, node: Node) -> tuple[int, int]:
        """The axis of time and that of the batch; they are the first two."""
        axes = attribute(node, "time_axis"), attribute(node, "batch_axis")
        if sorted(axes) != [0, 1]:
            fail(node, f"time_axis and batch_axis must be 0 and 1, are {axes[0]} and {axes[1]}")
        return axes

    def shapes(self, node: Node) -> list[Shape]:
        x, lengths = shape_of(node, 0), shape_of(node, 1)
        if len(x) < 2 or len(lengths) != 1:
            fail(node, "needs x of rank 2 or more and a vector of lengths")
        agree(node, x[self.axes(node)[1]], lengths[0], "batch extents of x and lengths")
        return [x]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, lengths = inputs
        time, batch = self.axes(node)
        if lengths.size and not (lengths.min() >= 0 and lengths.max() <= x.shape[time]):
            fail(node, f"a length is outside [0, {x.shape[time]}]")
        return [reverse_sequence(x, lengths, time, batch)]
