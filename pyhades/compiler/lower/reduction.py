"""Reductions, arg-reductions, running sums."""

from __future__ import annotations

from pyhades.compiler.lowering import Lowering, lowers
from pyhades.compiler.view import View
from pyhades.ir.graph import Node
from pyhades.ir.ops.reduction import Reduce
from pyhades.ir.registry import attribute, operator
from pyhades.ir.shapes import integers_of

_FUNCTIONS = {
    "ReduceSum": "sum",
    "ReduceMean": "mean",
    "ReduceMax": "max",
    "ReduceMin": "min",
    "ReduceProd": "prod",
    "ReduceL1": "l1",
    "ReduceL2": "l2",
    "ReduceSumSquare": "sum_square",
    "ReduceLogSum": "log_sum",
    "ReduceLogSumExp": "log_sum_exp",
}


def _kept(view: View, x: View, axes: tuple[int, ...]) -> View:
    """The output with the reduced axes as ones."""
    extents = tuple(1 if axis in axes else extent for axis, extent in enumerate(x.shape))
    kept = view.reshape(extents)
    assert kept is not None
    return kept


def _kept_order(node: Node, x: View, axes: tuple[int, ...]) -> tuple[int, ...]:
    """The layout of the input, without the reduced axes where the output lacks them."""
    if attribute(node, "keepdims"):
        return x.order()
    kept = [axis for axis in range(x.rank) if axis not in axes]
    return tuple(kept.index(axis) for axis in x.order() if axis in kept)


@lowers(*_FUNCTIONS)
def lower_reduce(lowering: Lowering, node: Node) -> None:
    """Reduce."""
    x = lowering.input(node, 0)
    rule = operator(node.op)
    assert isinstance(rule, Reduce)
    axes = rule.axes(node, x.rank, integers_of(node, 1))
    y = lowering.output(node.outputs[0], _kept_order(node, x, axes))
    lowering.emit("reduce", [x], [_kept(y, x, axes)], function=_FUNCTIONS[node.op], axes=list(axes))


@lowers("ArgMax", "ArgMin")
def lower_arg_reduce(lowering: Lowering, node: Node) -> None:
    """arg_reduce."""
    x = lowering.input(node, 0)
    axis = attribute(node, "axis") % x.rank
    y = lowering.output(node.outputs[0])
    lowering.emit(
        "arg_reduce",
        [x],
        [_kept(y, x, (axis,))],
        function=node.op.lower(),
        axis=axis,
        select_last_index=attribute(node, "select_last_index"),
    )


@lowers("TopK")
def lower_top_k(lowering: Lowering, node: Node) -> None:
    """Rank; the number of elements is an extent of the output."""
    x = lowering.input(node, 0)
    outputs = [lowering.output(value) for value in node.outputs]
    axis, largest = attribute(node, "axis") % x.rank, attribute(node, "largest")
    lowering.emit("rank", [x], outputs, axis=axis, largest=largest)


@lowers("CumSum")
def lower_cumsum(lowering: Lowering, node: Node) -> None:
    """cumsum; the axis has to be constant."""
    x = lowering.input(node, 0)
    axis = node.inputs[1]
    if axis is None or axis.data is None:
        lowering.refuse(node, "its axis is not constant")
        return
    lowering.emit(
        "cumsum",
        [x],
        [lowering.output(node.outputs[0])],
        axis=int(axis.data.reshape(-1)[0]) % x.rank,
        exclusive=attribute(node, "exclusive"),
        reverse=attribute(node, "reverse"),
    )
