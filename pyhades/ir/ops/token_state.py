"""Operators that carry a state from token to token."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pyhades.ir.graph import Dim, Node
from pyhades.ir.ops.attention import per_head
from pyhades.ir.ops.elementwise import widened
from pyhades.ir.registry import Array, Operator, attribute, elements, ir_op
from pyhades.ir.shapes import UNKNOWN, Shape, agree, fail, product, rank_of, shape_of
from pyhades.ir.signature import DType
from pyhades.numerics.activations import swish
from pyhades.numerics.attention import merge_heads, split_heads
from pyhades.numerics.token_state import causal_convolution, linear_attention


@ir_op(
    "LinearAttention",
    "F, F, F, F1?, F?, F? -> F, *",
    chunk_size=64,
    kv_num_heads=None,
    q_num_heads=None,
    scale=0.0,
    update_rule="gated_delta",
)
class LinearAttention(Operator):
    """A state per head that each token decays, corrects and adds to, and that its query reads.

    Operands are [b, tokens, heads * d]; the state is [b, heads, dk, dv].
    """

    RULES = ("linear", "gated", "delta", "gated_delta")

    def dtypes(self, node: Node) -> list[DType]:
        """The state keeps its dtype; a new one has that of the queries."""
        kinds = [value.type for value in node.inputs if value is not None]
        q, state = kinds[0], node.input(3)
        assert q is not None
        return [q.dtype, q.dtype if state is None or state.type is None else state.type.dtype]

    def heads(self, node: Node) -> tuple[int, int]:
        """How many heads queries and keys have."""
        counts = attribute(node, "q_num_heads"), attribute(node, "kv_num_heads")
        if not all(counts) or counts[0] % counts[1]:
            fail(node, f"{counts[0]} query heads are no multiple of {counts[1]} key heads")
        return counts

    def scale(self, node: Node, d: int) -> float:
        """The factor of the result."""
        return float(attribute(node, "scale")) or 1 / math.sqrt(max(d, 1))

    def shapes(self, node: Node) -> list[Shape]:
        q, k, v = (shape_of(node, index) for index in range(3))
        if not len(q) == len(k) == len(v) == 3:
            fail(node, "queries, keys and values must have rank 3")
        heads, key_heads = self.heads(node)
        d = agree(
            node,
            per_head(node, q[2], heads, "the queries"),
            per_head(node, k[2], key_heads, "the keys"),
            "head dimensions of q and k",
        )
        dv = per_head(node, v[2], key_heads, "the values")
        tokens = agree(node, agree(node, q[1], k[1], "tokens"), v[1], "tokens")
        batch = agree(node, agree(node, q[0], k[0], "batches"), v[0], "batches")
        state: Shape = (batch, key_heads, d, dv)
        if node.input(3) is not None:
            for have, want in zip(shape_of(node, 3), state, strict=True):
                agree(node, have, want, "extents of the state")
        self._check_rule(node)
        return [(batch, tokens, product([heads, dv])), state]

    def _check_rule(self, node: Node) -> None:
        rule = attribute(node, "update_rule")
        if rule not in self.RULES:
            fail(node, f"update_rule {rule!r} is none of {', '.join(self.RULES)}")
        for index, word, what in ((4, "gated", "decay"), (5, "delta", "beta")):
            if (word in rule) != (node.input(index) is not None):
                fail(node, f"update_rule {rule!r} and the presence of {what} do not fit")
            if node.input(index) is not None and rank_of(node, index) != 3:
                fail(node, f"{what} must have rank 3")

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        q, k, v, state, decay, beta = (*inputs, *[None] * 3)[:6]
        heads, key_heads = self.heads(node)
        d = q.shape[2] // heads
        q4 = widened(split_heads(q, heads))
        k4, v4 = (widened(split_heads(x, key_heads)) for x in (k, v))
        if state is None:
            state = np.zeros((len(q), key_heads, d, v4.shape[3]), q.dtype)
        if decay is not None:
            decay = widened(split_heads(decay, key_heads))
        if beta is not None:
            beta = widened(split_heads(beta, beta.shape[2]))
        y, after = linear_attention(q4, k4, v4, widened(state), decay, beta)
        y = merge_heads(y * np.asarray(self.scale(node, d), y.dtype))
        return [y.astype(q.dtype, copy=False), after.astype(state.dtype, copy=False)]

    def flops(self, node: Node) -> int:
        tokens: Dim = shape_of(node, 0)[1]
        return 8 * int(tokens) * elements(node.outputs[1].type) if tokens != UNKNOWN else 0


@ir_op("CausalConvWithState", "F, F, F?, F? -> F, F?", activation="none")
class CausalConvWithState(Operator):
    """A depthwise convolution [b, c, tokens] that sees the tokens before it, kept as a state."""

    ACTIVATIONS = ("none", "silu", "swish")

    def shapes(self, node: Node) -> list[Shape]:
        x, weight = shape_of(node, 0), shape_of(node, 1)
        if len(x) != 3 or len(weight) != 3:
            fail(node, "x and weight must have rank 3")
        agree(node, x[1], weight[0], "channels of x and weight")
        agree(node, weight[1], 1, "columns of the weight and one")
        if attribute(node, "activation") not in self.ACTIVATIONS:
            fail(node, f"activation is none of {', '.join(self.ACTIVATIONS)}")
        before = weight[2] - 1 if isinstance(weight[2], int) else UNKNOWN
        if node.input(3) is not None:
            for have, want in zip(shape_of(node, 3), (*x[:2], before), strict=True):
                agree(node, have, want, "extents of the state")
        return [x, (*x[:2], before)]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, weight, bias, past = (*inputs, None, None)[:4]
        before = weight.shape[2] - 1
        if past is None:
            past = np.zeros((*x.shape[:2], before), x.dtype)
        whole = np.concatenate([past, x], axis=2)
        y = causal_convolution(widened(whole), widened(weight), x.shape[2])
        y = y if bias is None else y + widened(bias)[:, None]
        y = y if attribute(node, "activation") == "none" else swish(y, 1.0)
        return [y.astype(x.dtype, copy=False), whole[:, :, whole.shape[2] - before :]]

    def flops(self, node: Node) -> int:
        kernel = shape_of(node, 1)[2]
        return 2 * int(kernel) * elements(node.outputs[0].type)
