"""Run a graph node by node on NumPy references: slow, exact, and the oracle of the tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pyhades.dtypes import widened
from pyhades.errors import ArgumentError, ShapeError
from pyhades.ir.graph import Graph, Node, Value
from pyhades.ir.inference import evaluate

Array = np.ndarray[Any, Any]


def interpret(graph: Graph, feeds: Mapping[str, Array], keep_all: bool = False) -> dict[str, Array]:
    """Compute the outputs of ``graph``.

    Parameters
    ----------
    graph
        Any graph; unknown extents are taken from ``feeds``.
    feeds
        An array per graph input, by name. An input that has constant data may be left out.
    keep_all
        Return every value instead of the graph outputs only.

    Returns
    -------
    dict
        Arrays by value name.

    Raises
    ------
    ArgumentError
        An input is missing, unknown, or has another dtype or shape than the graph declares.
    ShapeError
        Shapes inside the graph do not fit together.
    """
    arrays = _bind(graph, feeds)
    remaining = _use_counts(graph)
    for node in graph.nodes:
        results = _run(node, arrays)
        arrays.update(zip(node.outputs, results, strict=True))
        if keep_all:
            continue
        for value in (v for v in node.inputs if v is not None):
            remaining[value] -= 1
            if not remaining[value]:
                arrays.pop(value, None)
    if keep_all:
        return {value.name: _lookup(value, arrays) for value in graph.values()}
    return {value.name: _lookup(value, arrays) for value in graph.outputs}


def _bind(graph: Graph, feeds: Mapping[str, Array]) -> dict[Value, Array]:
    known = {value.name: value for value in graph.inputs}
    for name in feeds:
        if name not in known:
            raise ArgumentError(f"the graph has no input {name!r}; it has {', '.join(known)}")
    arrays: dict[Value, Array] = {}
    for name, value in known.items():
        if name in feeds:
            array = np.asarray(feeds[name])
            arrays[value] = array if value.type is None else widened(array, value.type.dtype)
            _check(value, arrays[value])
        elif value.data is None:
            raise ArgumentError(f"input {name!r} is missing")
    return arrays


def _check(value: Value, array: Array) -> None:
    kind = value.type
    if kind is None:
        return
    fits = kind.shape is None or (
        len(kind.shape) == array.ndim
        and all(
            isinstance(want, str) or want == have
            for want, have in zip(kind.shape, array.shape, strict=True)
        )
    )
    if not fits or array.dtype != kind.dtype:
        raise ArgumentError(
            f"input {value.name!r} is {array.dtype}{list(array.shape)}, the graph wants {kind}"
        )


def _use_counts(graph: Graph) -> dict[Value, int]:
    counts: dict[Value, int] = dict.fromkeys(graph.outputs, 1)
    for node in graph.nodes:
        for value in (v for v in node.inputs if v is not None):
            counts[value] = counts.get(value, 0) + 1
    return counts


def _lookup(value: Value, arrays: Mapping[Value, Array]) -> Array:
    if value in arrays:
        return arrays[value]
    if value.data is None:
        raise ShapeError(f"value {value.name!r} is used before it is computed")
    return value.data


def _run(node: Node, arrays: Mapping[Value, Array]) -> list[Array]:
    inputs = [None if value is None else _lookup(value, arrays) for value in node.inputs]
    return evaluate(node, inputs)[: len(node.outputs)]
