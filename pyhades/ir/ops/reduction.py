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
from pyhades.numerics.reduction import (
    REDUCTIONS,
    Axes,
    arg_extreme,
    running_product,
    running_sum,
    top_k,
)


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


_NAMES = {
    "ReduceSum": ("N", "sum"),
    "ReduceMean": ("N", "mean"),
    "ReduceMax": ("T", "max"),
    "ReduceMin": ("T", "min"),
    "ReduceProd": ("N", "prod"),
    "ReduceL1": ("N", "l1"),
    "ReduceL2": ("N", "l2"),
    "ReduceSumSquare": ("N", "sum_square"),
    "ReduceLogSum": ("N", "log_sum"),
    "ReduceLogSumExp": ("N", "log_sum_exp"),
}
"""Dtypes and function."""

register(*(Reduce(name, kind, REDUCTIONS[key]) for name, (kind, key) in _NAMES.items()))


class ArgExtreme(Operator):
    """Position of the largest or smallest element along one axis."""

    def __init__(self, name: str, largest: bool) -> None:
        super().__init__(name, "N -> int64", axis=0, keepdims=1, select_last_index=0)
        self.largest = largest

    def shapes(self, node: Node) -> list[Shape]:
        x = shape_of(node, 0)
        axis = normalize_axis(node, attribute(node, "axis"), len(x))
        kept = (1,) if attribute(node, "keepdims") else ()
        return [(*x[:axis], *kept, *x[axis + 1 :])]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, axis = inputs[0], attribute(node, "axis")
        last = bool(attribute(node, "select_last_index"))
        best = arg_extreme(x, axis, self.largest, last)
        return [best if attribute(node, "keepdims") else best.squeeze(axis)]


register(ArgExtreme("ArgMax", largest=True), ArgExtreme("ArgMin", largest=False))


@ir_op("CumSum", "N, I -> N", exclusive=0, reverse=0)
class CumSum(Operator):
    """Running sum along an axis that is an input."""

    def shapes(self, node: Node) -> list[Shape]:
        return [shape_of(node, 0)]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, axis = inputs[0], normalize_axis(node, int(inputs[1].reshape(())), inputs[0].ndim)
        exclusive, reverse = bool(attribute(node, "exclusive")), bool(attribute(node, "reverse"))
        return [running_sum(x, axis, exclusive, reverse)]


@ir_op("CumProd", "N, I -> N", exclusive=0, reverse=0)
class CumProd(CumSum):
    """Running product along an axis that is an input."""

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, axis = inputs[0], normalize_axis(node, int(inputs[1].reshape(())), inputs[0].ndim)
        exclusive, reverse = bool(attribute(node, "exclusive")), bool(attribute(node, "reverse"))
        return [running_product(x, axis, exclusive, reverse)]


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
        indices = top_k(x, k, axis, bool(attribute(node, "largest")))
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
