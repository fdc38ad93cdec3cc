"""Reductions over axes, positions of extrema, running sums."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pyhades.ir.graph import Node
from pyhades.ir.ops.elementwise import widened
from pyhades.ir.registry import Array, Operator, attribute, elements, ir_op, register
from pyhades.ir.shapes import (
    UNKNOWN,
    Shape,
    UnknownShape,
    agree,
    fail,
    integers_of,
    normalize_axes,
    normalize_axis,
    shape_of,
)

Axes = tuple[int, ...]


def _extreme(which: Callable[..., Array], positive: bool) -> Callable[[Array, Axes], Array]:
    def reduce(x: Array, axes: Axes) -> Array:
        if x.dtype.kind == "f":
            start: Any = np.inf if positive else -np.inf
        elif x.dtype.kind == "b":
            start = positive
        else:
            limits = np.iinfo(x.dtype)
            start = limits.max if positive else limits.min
        return which(x, axis=axes, keepdims=True, initial=start)

    return reduce


def _log_sum_exp(x: Array, axes: Axes) -> Array:
    peak = x.max(axis=axes, keepdims=True, initial=-np.inf)
    peak = np.where(np.isfinite(peak), peak, 0).astype(x.dtype)
    return np.asarray(np.log(np.exp(x - peak).sum(axis=axes, keepdims=True)) + peak)


def _sum(x: Array, axes: Axes) -> Array:
    return np.asarray(x.sum(axis=axes, keepdims=True, dtype=x.dtype))


class Reduce(Operator):
    """A reduction whose axes are an input; no axes means all, or none if noop_with_empty_axes."""

    def __init__(self, name: str, kind: str, function: Callable[[Array, Axes], Array]) -> None:
        super().__init__(name, f"{kind}, int64? -> {kind}", keepdims=1, noop_with_empty_axes=0)
        self.function = function

    def axes(self, node: Node, rank: int, stated: list[int] | None) -> Axes:
        """The axes to reduce, counted from the front."""
        if stated:
            return normalize_axes(node, stated, rank)
        return () if attribute(node, "noop_with_empty_axes") else tuple(range(rank))

    def shapes(self, node: Node) -> list[Shape]:
        x, keep = shape_of(node, 0), attribute(node, "keepdims")
        try:
            axes = self.axes(node, len(x), integers_of(node, 1))
        except UnknownShape:
            if keep:
                return [(UNKNOWN,) * len(x)]
            raise
        if keep:
            return [tuple(1 if axis in axes else dim for axis, dim in enumerate(x))]
        return [tuple(dim for axis, dim in enumerate(x) if axis not in axes)]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, stated = (*inputs, None)[:2]
        axes = self.axes(node, x.ndim, None if stated is None else [int(a) for a in stated])
        with np.errstate(all="ignore"):
            y = np.asarray(self.function(widened(x), axes)).astype(x.dtype, copy=False)
        return [y if attribute(node, "keepdims") else y.squeeze(axis=axes)]

    def flops(self, node: Node) -> int:
        return elements(node.inputs[0].type)  # type: ignore[union-attr]


register(
    Reduce("ReduceSum", "N", _sum),
    Reduce("ReduceMean", "N", lambda x, axes: x.mean(axis=axes, keepdims=True)),
    Reduce("ReduceMax", "T", _extreme(np.max, positive=False)),
    Reduce("ReduceMin", "T", _extreme(np.min, positive=True)),
    Reduce("ReduceProd", "N", lambda x, axes: x.prod(axis=axes, keepdims=True, dtype=x.dtype)),
    Reduce("ReduceL1", "N", lambda x, axes: _sum(np.abs(x), axes)),
    Reduce("ReduceL2", "N", lambda x, axes: np.sqrt(_sum(x * x, axes))),
    Reduce("ReduceSumSquare", "N", lambda x, axes: _sum(x * x, axes)),
    Reduce("ReduceLogSum", "N", lambda x, axes: np.log(_sum(x, axes))),
    Reduce("ReduceLogSumExp", "N", lambda x, axes: _log_sum_exp(x * 1.0, axes)),
)


class ArgExtreme(Operator):
    """Position of the largest or smallest element along one axis."""

    def __init__(self, name: str, function: Callable[..., Array]) -> None:
        super().__init__(name, "N -> int64", axis=0, keepdims=1, select_last_index=0)
        self.function = function

    def shapes(self, node: Node) -> list[Shape]:
        x = shape_of(node, 0)
        axis = normalize_axis(node, attribute(node, "axis"), len(x))
        kept = (1,) if attribute(node, "keepdims") else ()
        return [(*x[:axis], *kept, *x[axis + 1 :])]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, axis = inputs[0], attribute(node, "axis")
        last = attribute(node, "select_last_index")
        best = self.function(np.flip(x, axis) if last else x, axis=axis, keepdims=True)
        best = x.shape[axis] - 1 - best if last else best
        return [(best if attribute(node, "keepdims") else best.squeeze(axis)).astype(np.int64)]


register(ArgExtreme("ArgMax", np.argmax), ArgExtreme("ArgMin", np.argmin))


@ir_op("CumSum", "N, I -> N", exclusive=0, reverse=0)
class CumSum(Operator):
    """Running sum along an axis that is an input."""

    def shapes(self, node: Node) -> list[Shape]:
        return [shape_of(node, 0)]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, axis = inputs[0], normalize_axis(node, int(inputs[1].reshape(())), inputs[0].ndim)
        ordered = np.flip(x, axis) if attribute(node, "reverse") else x
        y = np.cumsum(ordered, axis=axis, dtype=x.dtype)
        if attribute(node, "exclusive"):
            y = np.roll(y, 1, axis=axis)
            y[(slice(None),) * axis + (slice(0, 1),)] = 0
        return [np.flip(y, axis).copy() if attribute(node, "reverse") else y]


@ir_op("TopK", "N, int64 -> N, int64", axis=-1, largest=1, sorted=1)
class TopK(Operator):
    """The k largest or smallest elements along an axis, sorted; ties go to the lower index."""

    def shapes(self, node: Node) -> list[Shape]:
        x = shape_of(node, 0)
        axis = normalize_axis(node, attribute(node, "axis"), len(x))
        try:
            k: int | str = (integers_of(node, 1) or [0])[0]
        except UnknownShape:
            k = UNKNOWN
        if isinstance(k, int) and isinstance(x[axis], int) and not 0 <= k <= x[axis]:  # type: ignore[operator]
            fail(node, f"k {k} is outside [0, {x[axis]}]")
        return [(*x[:axis], k, *x[axis + 1 :])] * 2

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, k, axis = inputs[0], int(inputs[1].reshape(())), attribute(node, "axis")
        if attribute(node, "largest"):
            # A stable sort of the mirrored array, mirrored back, keeps the lower index first.
            order = np.flip(x, axis).argsort(axis=axis, kind="stable")
            order = np.flip(x.shape[axis] - 1 - order, axis)
        else:
            order = x.argsort(axis=axis, kind="stable")
        indices = order.take(np.arange(k), axis=axis).astype(np.int64)
        return [np.take_along_axis(x, indices, axis=axis), indices]


@ir_op("Trilu", "T, int64? -> T", upper=1)
class Trilu(Operator):
    """Upper or lower triangle of each matrix, the rest zero."""

    def shapes(self, node: Node) -> list[Shape]:
        x = shape_of(node, 0)
        if len(x) < 2:
            fail(node, f"x needs rank 2 or more, has {len(x)}")
        if node.input(1) is not None:
            agree(node, len(shape_of(node, 1)) and shape_of(node, 1)[0], 0, "rank of k and zero")
        return [x]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, k = (*inputs, None)[:2]
        diagonal = 0 if k is None else int(k.reshape(()))
        return [(np.triu if attribute(node, "upper") else np.tril)(x, diagonal)]
