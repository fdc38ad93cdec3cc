"""Matrix products and attention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pyhades.compiler.lower.convolution import epilogue
from pyhades.compiler.lowering import Lowering, lowers
from pyhades.compiler.view import View, dense_strides
from pyhades.ir.graph import Node
from pyhades.ir.registry import attribute


@lowers("MatMul", "FusedMatMul")
def lower_matmul(lowering: Lowering, node: Node) -> None:
    """``gemm`` where one float32 matrix serves all rows, else ``matmul`` over the stacks."""
    a, b = lowering.input(node, 0), lowering.input(node, 1)
    alpha = attribute(node, "alpha") if node.op == "FusedMatMul" else 1.0
    if a.dtype == np.float32 and b.size == b.shape[-1] * b.shape[-2] and alpha == 1.0:
        _lower_gemm(lowering, node, a, b)
    else:
        _lower_stacked(lowering, node, a, b, alpha)


def _lower_gemm(lowering: Lowering, node: Node, a: View, b: View) -> None:
    """All rows of all stacks times one matrix."""
    k, n = b.shape[-2:]
    b = replace(b, shape=(k, n), strides=b.strides[-2:])
    residual = lowering.optional(node, 3)
    added = None if residual is None else lowering.rows(residual)
    inputs = [lowering.rows(a), b, lowering.optional(node, 2), added]
    emit_rows(lowering, node, "gemm", inputs, **epilogue(node))


def emit_rows(
    lowering: Lowering, node: Node, op: str, inputs: Sequence[View | None], **attributes: Any
) -> None:
    """Emit a product that makes all rows of the output, a matrix."""
    y = lowering.output(node.outputs[0])
    n = y.shape[-1]
    result = _as_rows(y)
    target = result
    if target is None:
        # Placed where the rows of several stacks have no common stride.
        target = lowering.temporary((y.size // n, n), y.dtype)
    lowering.emit(op, inputs, [target], **attributes)
    if result is None:
        source = target.reshape(y.shape)
        assert source is not None
        lowering.copy(source, y)


def _as_rows(y: View) -> View | None:
    rows = y.reshape((y.size // y.shape[-1], y.shape[-1])) if y.size else y
    fits = rows is not None and (y.shape[-1] == 1 or rows.strides[1] == 1)
    return rows if fits else None


def _lower_stacked(lowering: Lowering, node: Node, a: View, b: View, alpha: float) -> None:
    """Stacks broadcast by strides of 0; more than two stack axes are merged or copied."""
    y = lowering.output(node.outputs[0], rigid=True)
    stack = y.shape[:-2]
    operands = [
        view.expand((*stack, *view.shape[-2:])) for view in (a, b, *_present(lowering, node, 3))
    ]
    merged = [_two_stacks(lowering, view) for view in operands]
    residual = merged[2] if len(merged) == 3 else None
    if residual is not None and residual.shape[-1] > 1 and residual.strides[-1] != 1:
        residual = lowering.dense(residual)
    inputs = [*merged[:2], lowering.optional(node, 2), residual]
    lowering.emit("matmul", inputs, [_two_stacks(lowering, y)], alpha=alpha, **epilogue(node))


def _present(lowering: Lowering, node: Node, index: int) -> list[View]:
    view = lowering.optional(node, index)
    return [] if view is None else [view]


def _two_stacks(lowering: Lowering, view: View) -> View:
    """[..., m, n] as [b1, b2, m, n]."""
    *stack, m, n = view.shape
    if len(stack) < 2:
        ones = (1,) * (2 - len(stack))
        strides = dense_strides(ones) + view.strides
        return replace(view, shape=(*ones, *view.shape), strides=strides)
    target = (int(np.prod(stack[:-1])), stack[-1], m, n)
    merged = view.reshape(target)
    if merged is None:
        merged = lowering.dense(view).reshape(target)
    assert merged is not None
    return merged


@lowers("FusedAttention")
def lower_attention(lowering: Lowering, node: Node) -> None:
    """attention; heads are read where the projection left them."""
    q, k, v = (_unit_stride(lowering, lowering.input(node, index)) for index in range(3))
    scores = (*q.shape[:3], k.shape[2])
    bias, mask = (lowering.optional(node, index) for index in (3, 4))
    terms = [None if term is None else term.expand(scores) for term in (bias, mask)]
    lengths = lowering.optional(node, 5)
    inputs = [q, k, v, terms[0], None, None if lengths is None else lowering.dense(lengths)]
    # Heads side by side per token, as the projection that follows wants to read them.
    y = lowering.output(node.outputs[0], (0, 2, 1, 3))
    lowering.emit(
        "attention",
        [*inputs, terms[1]],
        [y],
        scale=attribute(node, "scale"),
        causal=attribute(node, "causal"),
        window=attribute(node, "window"),
    )


def _unit_stride(lowering: Lowering, view: View) -> View:
    return view if view.shape[-1] == 1 or view.strides[-1] == 1 else lowering.dense(view)
