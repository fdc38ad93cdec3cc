"""Drop nodes that change nothing: copies, views of a whole tensor, work that is done twice."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np

from pyhades.ir.graph import Graph, Node, Value
from pyhades.ir.inference import constant
from pyhades.ir.registry import attribute
from pyhades.ir.shapes import shape
from pyhades.passes.rewriting import Rewrite

_RESHAPES = ("Reshape", "Flatten", "Squeeze", "Unsqueeze")
_SAME_IF_TYPE_IS = {*_RESHAPES, "Cast", "CastLike", "Expand", "Tile"}


def eliminate(graph: Graph) -> Graph:
    """Remove dead code, nodes without effect and common subexpressions; merge chains of views."""
    rewrite = Rewrite(graph)
    known: dict[Hashable, Node] = {}
    for node in rewrite.nodes:
        node.inputs = rewrite.inputs(node)
        _merge_views(rewrite, node)
        source = _same_as(node)
        if source is not None:
            rewrite.substitute(node.outputs[0], source)
            continue
        earlier = known.setdefault(_identity(node), node)
        if earlier is not node and len(earlier.outputs) == len(node.outputs):
            for old, new in zip(node.outputs, earlier.outputs, strict=True):
                rewrite.substitute(old, new)
    return rewrite.finish()


def _same_as(node: Node) -> Value | None:
    """The input that the first output of ``node`` equals, if there is one."""
    x = node.input(0)
    if x is None:
        return None
    if node.op == "Identity" or (node.op == "Dropout" and _is_inactive_dropout(node)):
        return x
    if x.type != node.outputs[0].type:
        return None
    if node.op in _SAME_IF_TYPE_IS or (node.op == "Concat" and len(node.inputs) == 1):
        return x
    if node.op == "Transpose" and _is_trivial_transpose(node):
        return x
    if node.op == "Pad" and _is_zero(node.input(1)):
        return x
    if node.op == "Slice" and _steps_are_positive(node):
        return x
    if node.op == "Resize" and _is_trivial_resize(node):
        return x
    if node.op == "FakeQuantize" and _is_on_the_grid(node):
        return x
    return None


def _is_inactive_dropout(node: Node) -> bool:
    training = node.input(2)
    inactive = training is None or (training.data is not None and not training.data.any())
    return inactive and len(node.outputs) == 1


def _is_trivial_transpose(node: Node) -> bool:
    perm = attribute(node, "perm")
    extents = shape(node.outputs[0])
    order = list(perm) if perm is not None else list(range(len(extents)))[::-1]
    moved = [axis for axis, extent in zip(order, extents, strict=True) if extent != 1]
    return moved == sorted(moved)


def _is_zero(value: Value | None) -> bool:
    return value is not None and value.data is not None and not value.data.any()


def _steps_are_positive(node: Node) -> bool:
    steps = node.input(4)
    return steps is None or (steps.data is not None and bool((steps.data > 0).all()))


def _is_trivial_resize(node: Node) -> bool:
    """A resize to the same extents samples at the grid points, except where a crop is involved."""
    scales = node.input(2)
    exact = (
        scales is None or scales.data is None or scales.data.size == 0 or (scales.data == 1).all()
    )
    mode = attribute(node, "coordinate_transformation_mode")
    return bool(exact) and mode != "tf_crop_and_resize" and not attribute(node, "antialias")


def _is_on_the_grid(node: Node) -> bool:
    """Whether the input lies on the grid that the node puts it on."""
    kinds = (node.inputs[0], node.outputs[0])
    have, want = (None if v is None or v.type is None else v.type.quantization for v in kinds)
    return have is not None and have.same(want)


def _merge_views(rewrite: Rewrite, node: Node) -> None:
    """Turn two reshapes or two transposes in a row into one."""
    if node.op in _RESHAPES:
        inner = rewrite.producer(node.inputs[0], *_RESHAPES)
        if inner is not None:
            target = np.array(shape(node.outputs[0]), np.int64)
            node.op, node.attributes = "Reshape", {"allowzero": 1}
            source = inner.inputs[0]
            assert source is not None
            node.inputs = [
                rewrite.resolve(source),
                constant(f"{node.outputs[0].name}.shape", target),
            ]
    elif node.op == "Transpose":
        inner = rewrite.producer(node.inputs[0], "Transpose")
        if inner is not None and inner.inputs[0] is not None:
            first, second = _perm(inner), _perm(node)
            node.attributes = {"perm": [first[axis] for axis in second]}
            node.inputs = [rewrite.resolve(inner.inputs[0])]


def _perm(node: Node) -> list[int]:
    perm = attribute(node, "perm")
    rank = len(shape(node.outputs[0]))
    return list(perm) if perm is not None else list(range(rank))[::-1]


def _identity(node: Node) -> Hashable:
    """Equal for nodes that compute the same."""
    inputs = tuple(_name(value) for value in node.inputs)
    attributes = tuple(sorted((key, _frozen(item)) for key, item in node.attributes.items()))
    return node.op, inputs, attributes


def _name(value: Value | None) -> Hashable:
    if value is None:
        return None
    kept = value.kept
    if not isinstance(kept, np.ndarray) or kept.size > 64:
        return id(value if kept is None else kept)
    return str(kept.dtype), kept.shape, kept.tobytes()


def _frozen(item: Any) -> Hashable:
    return repr(item.tolist()) if isinstance(item, np.ndarray) else repr(item)
