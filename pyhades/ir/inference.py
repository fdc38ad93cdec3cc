"""Types of every value of a graph, from the types of its inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pyhades.errors import PyhadesError, ShapeError
from pyhades.ir.carried import carried
from pyhades.ir.graph import Graph, Node, TensorType, Value
from pyhades.ir.registry import operator
from pyhades.ir.shapes import UnknownShape, fail

CONFUSED = (TypeError, ValueError, ArithmeticError, LookupError, AttributeError, MemoryError)
"""What Python raises in a rule or a reference whose node is not what it expects."""


def infer_node(node: Node, tolerant: bool = False) -> None:
    """Set the types of the outputs of ``node``; they stay None where nothing is known.

    With ``tolerant``, nothing is known of the shapes of what does not fit: of nodes that may never
    run.

    Raises
    ------
    ShapeError
        Shapes, dtypes, attributes or constants do not fit the operator.
    """
    try:
        kinds = _inferred(node)
    except UnknownShape:
        return
    except ShapeError:
        if not tolerant:
            raise
        signature = operator(node.op).signature
        dtypes = signature.output_dtypes(node, signature.bind(node))
        kinds = [TensorType(dtype, None) for dtype in dtypes if dtype is not None]
        if len(kinds) != len(dtypes):
            return
    set_types(node, kinds)


def _inferred(node: Node) -> list[TensorType]:
    try:
        return operator(node.op).infer(node)
    except PyhadesError:
        raise
    except CONFUSED as error:
        # A scale that is infinite, say, or an attribute that is a list and should be a number.
        fail(node, f"attributes or constants do not fit the operator: {error}")


def set_types(node: Node, kinds: Sequence[TensorType]) -> None:
    """Give the outputs of ``node`` their types.

    What an operator does not say of the grid follows from its inputs; and what was known of a value
    still holds when another node makes it.
    """
    known = [None if value.type is None else value.type.quantization for value in node.outputs]
    for value, kind in zip(node.outputs, kinds, strict=True):
        value.type = kind
    first = carried(node)
    spreads = node.op == "Split" and first is not None and first.axis is None
    grids = [first, *[first if spreads else None] * (len(known) - 1)]
    for value, own, before in zip(node.outputs, grids, known, strict=True):
        assert value.type is not None
        grid = value.type.quantization or own or before
        if grid is not None and value.type.dtype.kind == "f":
            value.type = replace(value.type, quantization=grid)


def infer_types(graph: Graph) -> None:
    """Set the type of every result in ``graph``.

    Extents that depend on data which is not constant come out as strings or, where even the rank
    is unknown, the shape as None. Fold constants first to know more.

    Raises
    ------
    ShapeError
        Shapes or dtypes do not fit; the message names the node and the file.
    """
    for node in graph.nodes:
        try:
            infer_node(node)
        except PyhadesError as error:
            if graph.source is None:
                raise
            raise type(error)(f"{graph.source}: {error}") from None


def evaluate(
    node: Node, inputs: Sequence[np.ndarray[Any, Any] | None]
) -> list[np.ndarray[Any, Any]]:
    """Run the NumPy reference of ``node``; ShapeError where the arrays do not fit the operator."""
    try:
        with np.errstate(all="ignore"):
            return operator(node.op).reference(node, *inputs)
    except PyhadesError:
        raise
    except CONFUSED as error:
        shapes = ", ".join("_" if x is None else f"{x.dtype}{list(x.shape)}" for x in inputs)
        fail(node, f"cannot compute on ({shapes}): {error}")


def type_of(array: np.ndarray[Any, Any]) -> TensorType:
    """The static type of an array."""
    return TensorType(array.dtype, array.shape)


def constant(name: str, data: np.ndarray[Any, Any]) -> Value:
    """A constant value, typed."""
    return Value(name, type_of(data), data)
