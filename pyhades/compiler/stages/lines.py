"""Lines of a listing for what Python runs."""

from __future__ import annotations

from collections.abc import Sequence

from pyhades.compiler.listing import Line, type_name
from pyhades.errors import PyhadesError
from pyhades.ir.graph import Node, TensorType, Value
from pyhades.ir.ops.control import ControlFlow
from pyhades.ir.registry import operator


def line_of(node: Node) -> Line:
    """What a listing says of a node that Python runs; sizes that depend on data are names."""
    kernel = "graphs" if isinstance(operator(node.op), ControlFlow) else "numpy"
    flops, moved = _cost(node)
    operands = f"{_types(node.inputs)} -> {_types(node.outputs)}"
    return Line(0, node.op.lower(), operands, kernel, flops, moved, node.outputs[0].name)


def _cost(node: Node) -> tuple[float, float]:
    """As far as it is known."""
    try:
        return operator(node.op).cost(node)
    except (PyhadesError, ValueError):
        return 0.0, 0.0


def _types(values: Sequence[Value | None]) -> str:
    return ", ".join(
        "_" if value is None else _type(value.type)
        for value in values
        if value is None or value.data is None
    )


def _type(kind: TensorType | None) -> str:
    if kind is None:
        return "?"
    return type_name(kind.dtype, ["?"] if kind.shape is None else kind.shape)
