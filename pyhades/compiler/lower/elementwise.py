"""Element-wise operators: ``map`` for float32 chains, one kernel call each for everything else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyhades import _native
from pyhades.compiler.iteration import coalesced
from pyhades.compiler.lowering import Lowering, lowers
from pyhades.compiler.view import View
from pyhades.ir.graph import Node, Value
from pyhades.ir.registry import attribute
from pyhades.ir.shapes import shape

UNARY = {
    **{
        name: name.lower()
        for name in (
            *("Abs", "Neg", "Sign", "Sqrt", "Reciprocal", "Exp", "Log", "Erf", "Floor", "Ceil"),
            *("Round", "Sin", "Cos", "Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Tanh"),
            *("Asinh", "Acosh", "Atanh", "Sigmoid", "Softplus", "Softsign", "Relu", "Mish", "Not"),
        )
    },
    "HardSwish": "hard_swish",
    "BitwiseNot": "bitwise_not",
    "IsNaN": "is_nan",
}

BINARY = {
    **{name: name.lower() for name in ("Add", "Sub", "Mul", "Div", "Min", "Max", "Pow")},
    "Equal": "equal",
    "Less": "less",
    "Greater": "greater",
    "LessOrEqual": "less_equal",
    "GreaterOrEqual": "greater_equal",
    "And": "and",
    "Or": "or",
    "Xor": "xor",
    "BitwiseAnd": "bitwise_and",
    "BitwiseOr": "bitwise_or",
    "BitwiseXor": "bitwise_xor",
}

MAP_FUNCTIONS = {
    **UNARY,
    **BINARY,
    "PRelu": "leaky_relu",
    "LeakyRelu": "leaky_relu",
    "Elu": "elu",
    "Celu": "celu",
    "Selu": "selu",
    "ThresholdedRelu": "thresholded_relu",
    "Swish": "swish",
    "HardSigmoid": "hard_sigmoid",
    "Clip": "clip",
    "Gelu": "gelu_erf",
    "GeluTanh": "gelu_tanh",
}
"""Native name of each function of a Pointwise program."""


def elementwise(
    lowering: Lowering, op: str, values: Sequence[Value], result: Value, **attributes: Any
) -> None:
    """Emit ``op`` over the broadcast of ``values``.

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
    lowering.emit(op, views, [y], in_place=in_place, **attributes)


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
    functions = _native.map_functions()
    code: list[int] = []
    for function, destination, sources in attribute(node, "steps"):
        number, arity = functions[MAP_FUNCTIONS[function]]
        assert len(sources) == arity, f"{function} takes {arity} operands"
        code += [number, destination, *[*sources, 0, 0][:3]]
    constants = [float(number) for number in attribute(node, "constants")]
    values = _values(node)
    elementwise(lowering, "map", values, node.outputs[0], code=code, constants=constants)


@lowers(*BINARY)
def lower_binary(lowering: Lowering, node: Node) -> None:
    """binary: two operands of one dtype."""
    elementwise(lowering, "binary", _values(node), node.outputs[0], function=BINARY[node.op])


@lowers("Mod")
def lower_mod(lowering: Lowering, node: Node) -> None:
    """Binary mod or fmod."""
    function = "fmod" if attribute(node, "fmod") else "mod"
    elementwise(lowering, "binary", _values(node), node.outputs[0], function=function)


@lowers("BitShift")
def lower_bit_shift(lowering: Lowering, node: Node) -> None:
    """Binary shift_left or shift_right."""
    function = f"shift_{attribute(node, 'direction').lower()}"
    elementwise(lowering, "binary", _values(node), node.outputs[0], function=function)


@lowers(*UNARY)
def lower_unary(lowering: Lowering, node: Node) -> None:
    """Unary."""
    elementwise(lowering, "unary", _values(node), node.outputs[0], function=UNARY[node.op])


@lowers("Gelu")
def lower_gelu(lowering: Lowering, node: Node) -> None:
    """unary, for dtypes that have no pointwise programs."""
    function = "gelu_tanh" if attribute(node, "approximate") == "tanh" else "gelu_erf"
    elementwise(lowering, "unary", _values(node), node.outputs[0], function=function)


@lowers("IsInf")
def lower_is_inf(lowering: Lowering, node: Node) -> None:
    """unary; which signs count is part of the function."""
    positive, negative = attribute(node, "detect_positive"), attribute(node, "detect_negative")
    if not positive and not negative:
        y = lowering.output(node.outputs[0])
        lowering.emit("fill", [], [y], value=0)
        return
    function = (
        "is_inf" if positive and negative else f"is_{'positive' if positive else 'negative'}_inf"
    )
    elementwise(lowering, "unary", _values(node), node.outputs[0], function=function)


@lowers("Where")
def lower_where(lowering: Lowering, node: Node) -> None:
    """Select."""
    elementwise(lowering, "select", _values(node), node.outputs[0])


@lowers("Cast", "CastLike")
def lower_cast(lowering: Lowering, node: Node) -> None:
    """cast; the dtype is that of the output."""
    elementwise(lowering, "cast", _values(node)[:1], node.outputs[0])
