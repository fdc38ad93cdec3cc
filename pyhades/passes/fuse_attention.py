"""softmax(scale * q @ k^T + bias + mask) @ v becomes one operator, without a score matrix."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pyhades.ir.graph import Graph, Node, Value
from pyhades.ir.inference import constant
from pyhades.ir.registry import attribute
from pyhades.ir.shapes import shape
from pyhades.passes.rewriting import Rewrite, scalar

_LARGEST_HEAD = 256
"""Head dimensions beyond this are matrix products in their own right."""


@dataclass
class _Scores:
    """What is known of the input of a softmax: terms added to ``scale * (a @ b)``."""

    product: Node
    scale: float = 1.0
    terms: list[Value] = field(default_factory=list)


def fuse_attention(graph: Graph) -> Graph:
    """Fuse attention over rank 3 or 4 operands; heads keep the strides that they have."""
    rewrite = Rewrite(graph)
    for node in rewrite.nodes:
        if node.op != "MatMul":
            continue
        node.inputs = rewrite.inputs(node)
        weights, v = node.inputs
        softmax = rewrite.private(weights, "Softmax")
        if softmax is None or v is None or not _is_over_last_axis(softmax):
            continue
        scores = _scores(rewrite, softmax.inputs[0], len(shape(node.outputs[0])))
        if scores is not None:
            _replace(rewrite, node, scores, v)
    return rewrite.finish()


def _is_over_last_axis(softmax: Node) -> bool:
    rank = len(shape(softmax.outputs[0]))
    return int(attribute(softmax, "axis")) % rank == rank - 1


def _scores(rewrite: Rewrite, value: Value | None, rank: int) -> _Scores | None:
    """Peel additions, then one scaling, off the matrix product that ``value`` comes from."""
    node = rewrite.private(value, "MatMul", "Add", "Reshape", "Mul", "Div")
    if node is None:
        return None
    left, right = (*rewrite.inputs(node), None)[:2]
    if node.op == "MatMul":
        return _Scores(node)
    if node.op in ("Mul", "Div"):
        factor = scalar(right)
        product = rewrite.private(left, "MatMul")
        if factor is None or product is None:
            return None
        return _Scores(product, factor if node.op == "Mul" else 1 / factor)
    if node.op == "Reshape":
        return _masked_windows(rewrite, node, rank)
    for inner, term in ((left, right), (right, left)):
        scores = None if term is None else _scores(rewrite, inner, rank)
        if scores is not None and term is not None and len(shape(term)) <= rank:
            scores.terms.append(term)
            return scores
    return None


def _masked_windows(rewrite: Rewrite, outer: Node, rank: int) -> _Scores | None:
    """Swin adds its mask to scores viewed as [batch, windows, heads, m, n]."""
    add = rewrite.private(outer.inputs[0], "Add")
    if add is None or len(shape(add.outputs[0])) != 5 or rank != 4:
        return None
    left, right = rewrite.inputs(add)
    for viewed, mask in ((left, right), (right, left)):
        inner = rewrite.private(viewed, "Reshape")
        if inner is None or mask is None or mask.data is None or mask.data.ndim != 5:
            continue
        if shape(inner.inputs[0]) != shape(outer.outputs[0]):  # type: ignore[arg-type]
            continue
        scores = _scores(rewrite, inner.inputs[0], rank)
        if scores is None:
            continue
        batch, windows = shape(add.outputs[0])[:2]
        repeated = np.broadcast_to(mask.data, (batch, windows, *mask.data.shape[2:]))
        merged = repeated.reshape(batch * windows, *mask.data.shape[2:])
        scores.terms.append(constant(f"{mask.name}.per_window{batch}", merged))
        return scores
    return None


def _replace(rewrite: Rewrite, node: Node, scores: _Scores, v: Value) -> None:
    q, k_transposed = rewrite.inputs(scores.product)
    if q is None or k_transposed is None or q.type is None or q.type.dtype != np.float32:
        return
    rank = len(shape(q))
    same_rank = rank == len(shape(k_transposed)) == len(shape(v)) and rank in (3, 4)
    if not same_rank or not shape(q)[:-2] == shape(k_transposed)[:-2] == shape(v)[:-2]:
        return
    if max(shape(q)[-1], shape(v)[-1]) > _LARGEST_HEAD:
        return
    scale = scores.scale
    q, factor = _unscaled(rewrite, q)
    k_transposed, other = _unscaled(rewrite, k_transposed)
    scale *= factor * other
    name = node.outputs[0].name

    def new(op: str, inputs: list[Value | None], suffix: str, **attributes: Any) -> Value:
        return rewrite.new(op, inputs, f"{name}.{suffix}", node, **attributes)

    def four(value: Value, suffix: str) -> Value:
        if len(shape(value)) == 4:
            return value
        extents = shape(value)
        target = (
            (extents[0], 1, *extents[1:])
            if rank == 3 and len(extents) == 3
            else (*(1,) * (4 - len(extents)), *extents)
        )
        return _reshaped(rewrite, node, value, target, f"{name}.{suffix}")

    perm = [*range(rank - 2), rank - 1, rank - 2]
    k = new("Transpose", [k_transposed], "k", perm=perm)
    terms: list[Value | None] = [four(term, f"term{i}") for i, term in enumerate(scores.terms)]
    while len(terms) > 2:
        terms[-2:] = [new("Add", terms[-2:], f"sum{len(terms)}")]
    inputs = [four(q, "q4"), four(k, "k4"), four(v, "v4"), *terms]
    if rank == 4:
        rewrite.replace(node, "FusedAttention", inputs, scale=scale)
        return
    result = new("FusedAttention", inputs, "attention", scale=scale)
    target = constant(f"{name}.shape", np.array(shape(node.outputs[0]), np.int64))
    rewrite.replace(node, "Reshape", [result, target], allowzero=1)


def _reshaped(rewrite: Rewrite, node: Node, x: Value, extents: tuple[int, ...], name: str) -> Value:
    if x.data is not None:
        return constant(name, x.data.reshape(extents))
    target = constant(f"{name}.shape", np.array(extents, np.int64))
    return rewrite.new("Reshape", [x, target], name, node, allowzero=1)


def _unscaled(rewrite: Rewrite, value: Value) -> tuple[Value, float]:
    """What a private scaling is applied to, and the factor."""
    node = rewrite.private(value, "Mul", "Div")
    if node is None:
        return value, 1.0
    left, right = rewrite.inputs(node)
    factor = scalar(right)
    if factor is not None and left is not None and shape(left) == shape(value):
        return left, factor if node.op == "Mul" else 1 / factor
    return value, 1.0
