"""Infer every shape, and compute what does not depend on the inputs."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pyhades.errors import ShapeError
from pyhades.ir.copying import clone
from pyhades.ir.graph import Graph, Node, Value
from pyhades.ir.grid_points import GridPoints
from pyhades.ir.inference import evaluate, infer_node, type_of
from pyhades.ir.registry import attribute
from pyhades.numerics.quantization import LIMITS
from pyhades.passes.inline_control_flow import inline, sink_constants
from pyhades.passes.rewriting import live

Array = np.ndarray[Any, Any]

_WORTH_KEEPING = 1 << 14
"""Bytes of integers; fewer become the numbers that they stand for."""

_REARRANGES = {"Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose"}
"""Operators that may as well be applied to the integers."""

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
        for value, found in zip(node.outputs, data, strict=True):
            grid = None if value.type is None else value.type.quantization
            value.producer = None
            if isinstance(found, GridPoints):
                value.kept = found
                continue
            value.data = _shared(found, tables)
            value.type = replace(type_of(found), quantization=grid)
    result.nodes = live(nodes, result.outputs)
    return result


def _evaluate(node: Node) -> Sequence[Array | GridPoints] | None:
    """The outputs of ``node`` if they are known now."""
    if node.op in ("EyeLike", "Shape", "Size"):
        source = node.inputs[0]
        if source is not None and source.type is not None and source.type.is_static:
            # These need no data: an array without memory stands for it.
            stand_in = np.broadcast_to(np.zeros((), source.type.dtype), source.type.static_shape)
            return evaluate(node, [stand_in])
        return None
    if node.op in _RANDOM or not all(value is None or _is_known(value) for value in node.inputs):
        return None
    points = _on_grid(node)
    if points is not None:
        return [points]
    arrays = [None if value is None else _known(value) for value in node.inputs]
    if node.op == "Transpose" and arrays[0] is not None and arrays[0].ndim == 2:
        # A weight matrix stays where it is: kernels pack it from any strides.
        return [arrays[0].transpose(attribute(node, "perm"))]
    return evaluate(node, arrays)[: len(node.outputs)]


def _on_grid(node: Node) -> GridPoints | None:
    """The output of ``node`` by its integers, if it is large and they say what it is."""
    x, kind = node.inputs[0] if node.inputs else None, node.outputs[0].type
    if x is None or kind is None or kind.quantization is None or len(node.outputs) > 1:
        return None
    kept = x.kept
    if node.op == "DequantizeLinear" and isinstance(kept, np.ndarray):
        is_even = kind.quantization.storage in LIMITS and kept.dtype.kind in "iu"
        if is_even and kept.dtype.itemsize < kind.dtype.itemsize and kept.nbytes >= _WORTH_KEEPING:
            return GridPoints(kept, kind.quantization, kind.dtype)
    if isinstance(kept, GridPoints) and node.op in _REARRANGES:
        arrays = [kept.integers, *(None if v is None else _known(v) for v in node.inputs[1:])]
        return GridPoints(evaluate(node, arrays)[0], kind.quantization, kind.dtype)
    return None


def _is_known(value: Value) -> bool:
    return value.is_constant or _is_empty(value)


def _is_empty(value: Value) -> bool:
    kind = value.type
    return kind is not None and kind.is_static and 0 in kind.static_shape


def _known(value: Value) -> Array | None:
    """The data of a constant, or of a value that has no elements."""
    if value.is_constant or value.type is None or not _is_empty(value):
        return value.data
    return np.empty(value.type.static_shape, value.type.dtype)


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
