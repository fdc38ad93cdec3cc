"""Infer every shape, and compute what does not depend on the inputs."""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import replace
from typing import Any

import numpy as np

from pyhades.errors import ShapeError
from pyhades.ir.copying import clone
from pyhades.ir.graph import Graph, Node, Value
from pyhades.ir.inference import evaluate, infer_node, type_of
from pyhades.ir.registry import attribute
from pyhades.passes.inline_control_flow import inline, sink_constants
from pyhades.passes.rewriting import live

Array = np.ndarray[Any, Any]

_RANDOM = {"RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial"}


def fold_constants(graph: Graph, partly: bool = False) -> Graph:
    """Fold constants by the NumPy references of the operators.

    One walk infers and folds, because shapes depend on folded values (Resize sizes computed from a
    Shape) and folded values on shapes; control flow whose course turns out to be known is written
    out. Afterwards every type is static and no shape arithmetic is left. Equal results share their
    data.

    Parameters
    ----------
    graph
        With static types of its inputs.
    partly
        Leave types alone that depend on data.

    Raises
    ------
    ShapeError
        A shape depends on the data of an input, not merely on its shape.
    """
    result = clone(graph)
    tables: dict[bytes, Array] = {}
    pending, nodes, written = deque(result.nodes), [], 0
    while pending:
        node = pending.popleft()
        inner = inline(node, written)
        if inner is not None:
            written += len(inner)
            pending.extendleft(reversed(inner))
            continue
        sink_constants(node)
        infer_node(node)
        data = _evaluate(node)
        if data is None:
            nodes.append(node)
            if not partly:
                _require_static(node)
            continue
        for value, array in zip(node.outputs, data, strict=True):
            grid = None if value.type is None else value.type.quantization
            value.data, value.producer = _shared(array, tables), None
            value.type = replace(type_of(array), quantization=grid)
    result.nodes = live(nodes, result.outputs)
    return result


def _evaluate(node: Node) -> list[Array] | None:
    """The outputs of ``node`` if they are known now."""
    if node.op in ("EyeLike", "Shape", "Size"):
        source = node.inputs[0]
        if source is not None and source.type is not None and source.type.is_static:
            # These need no data: an array without memory stands for it.
            stand_in = np.broadcast_to(np.zeros((), source.type.dtype), source.type.static_shape)
            return evaluate(node, [stand_in])
        return None
    arrays = [None if value is None else _known(value) for value in node.inputs]
    unknown = any(
        array is None and value is not None
        for array, value in zip(arrays, node.inputs, strict=True)
    )
    if node.op in _RANDOM or unknown:
        return None
    if node.op == "Transpose" and arrays[0] is not None and arrays[0].ndim == 2:
        # A weight matrix stays where it is: kernels pack it from any strides.
        return [arrays[0].transpose(attribute(node, "perm"))]
    return evaluate(node, arrays)[: len(node.outputs)]


def _known(value: Value) -> Array | None:
    """The data of a constant, or of a value that has no elements."""
    kind = value.type
    if value.data is None and kind is not None and kind.is_static and 0 in kind.static_shape:
        return np.empty(kind.static_shape, kind.dtype)
    return value.data


def _require_static(node: Node) -> None:
    for value in node.outputs:
        if value.type is None or not value.type.is_static:
            raise ShapeError(
                f"{node.op} '{node.name}' makes {value!r}, whose shape depends on the data of an "
                "input; pyhades runs networks whose shapes follow from those of their inputs"
            )


def _shared(array: Array, tables: dict[bytes, Array]) -> Array:
    """``array``, or an equal one that was folded before."""
    if array.base is not None or array.nbytes < 1024:
        return array
    digest = hashlib.blake2b(np.ascontiguousarray(array).data, digest_size=16)
    digest.update(f"{array.dtype}{array.shape}".encode())
    return tables.setdefault(digest.digest(), array)
