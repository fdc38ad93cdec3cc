"""Element-wise operators: ``map`` for float32 chains, one kernel call each for everything else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyhades import _native
from pyhades.compiler.iteration import coalesced
from pyhades.compiler.lowering import Lowering, lowers
from pyhades.compiler.view import View
from pyhades.ir.graph import Node, Value
from pyhades.ir.ops.elementwise import element_function
from pyhades.ir.registry import attribute
from pyhades.ir.shapes import shape
from pyhades.numerics.functions import FUNCTIONS, functions_of

TYPED = tuple(
    dict.fromkeys(
        row.onnx
        for row in FUNCTIONS.values()
        if row.onnx and not any(same.parameters for same in functions_of(row.onnx))
    )
)
"""Operators of one or two arrays that kernels compute in every dtype."""


def elementwise(
    lowering: Lowering,
    op: str,
    values: Sequence[Value],
    result: Value,
    *,
    whole: Sequence[View] = (),
    **attributes: Any,
) -> None:
    """Emit ``op`` over the broadcast of ``values``; operands that it reads ``whole`` follow.

    The output gets the layout of the first input of full shape. An input that is a Reshape left
    undone (see :meth:`Lowering.unmerged`) is read in its own shape if all operands can be seen so.
    """
    extents = shape(result)
    inputs = _undone(lowering, values, result)
    if inputs is None:
        views = [lowering.view(value).expand(extents) for value in values]
        full = [view for value, view in zip(values, views, strict=True) if shape(value) == extents]
        # The caller's array is row-major: the kernel may as well store it so at once.
        order = full[0].order() if full and not lowering.is_output(result) else None
        y = lowering.output(result, order)
    else:
        views, y = inputs
    if 0 in extents:
        return
    views, (y,) = coalesced(views, [y])
    in_place = tuple(index for index, view in enumerate(views) if view.dtype == y.dtype)
    lowering.emit(op, [*views, *whole], [y], in_place=in_place, **attributes)


def _undone(
    lowering: Lowering, values: Sequence[Value], result: Value
) -> tuple[list[View], View] | None:
    """The operands in the shape of an input whose Reshape was left undone, if that works."""
    extents = shape(result)
    sources = {value: lowering.unmerged(value) for value in values if shape(value) == extents}
    undone = [view for view in sources.values() if view.shape != extents]
    if not undone:
        return None
    target = undone[0].shape
    views = []
    for value in values:
        view = sources.get(value)
        if view is None:
            view = lowering.view(value).expand(extents)
        seen = view if view.shape == target else view.reshape(target)
        if seen is None:
            return None
        views.append(seen)
    y = lowering.output(result).reshape(target)
    return None if y is None else (views, y)


def _values(node: Node) -> list[Value]:
    return [value for value in node.inputs if value is not None]


@lowers("Pointwise")
def lower_pointwise(lowering: Lowering, node: Node) -> None:
    """map, with the steps as numbers."""
    functions = _native.element_functions()
    code: list[int] = []
    for name, destination, sources in attribute(node, "steps"):
        function = functions[name]
        assert len(sources) == function.operands, f"{name} takes {function.operands} operands"
        code += [function.number, destination, *[*sources, 0, 0][:3]]
    constants = [float(number) for number in attribute(node, "constants")]
    grids = attribute(node, "grids")
    options: dict[str, Any] = {}
    if grids is not None:
        options["grids"] = [float(part) for grid in grids for part in grid or (1.0, 0.0)]
    values = _values(node)
    elementwise(lowering, "map", values, node.outputs[0], code=code, constants=constants, **options)


@lowers(*TYPED)
def lower_function(lowering: Lowering, node: Node) -> None:
    """Unary or binary; the function is what attributes choose."""
    function = element_function(node)
    if function is None and node.op == "IsInf":  # of neither sign
        lowering.emit("fill", [], [lowering.output(node.outputs[0])], value=0)
        return
    if function is None:
        lowering.refuse(node, f"attributes {node.attributes} name no function")
    op = "unary" if function.arrays == 1 else "binary"
    elementwise(lowering, op, _values(node), node.outputs[0], function=function.name)


@lowers("Where")
def lower_where(lowering: Lowering, node: Node) -> None:
    """Select."""
    elementwise(lowering, "select", _values(node), node.outputs[0])


@lowers("Cast", "CastLike")
def lower_cast(lowering: Lowering, node: Node) -> None:
    """cast; the dtype is that of the output."""
    elementwise(lowering, "cast", _values(node)[:1], node.outputs[0])
