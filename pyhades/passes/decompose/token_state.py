"""Operators that carry a state from token to token, one token after the other."""

from __future__ import annotations

import numpy as np

from pyhades.ir.graph import Node, Value
from pyhades.ir.inference import constant
from pyhades.ir.ops.token_state import LinearAttention
from pyhades.ir.registry import attribute, operator
from pyhades.ir.shapes import shape
from pyhades.passes.decompose.attention import split_heads
from pyhades.passes.decompose.rule import Builder, dtype_of, rule, source


class _Tokens:
    """Takes one token after the other out of operands [b, heads, tokens, d]."""

    def __init__(self, build: Builder) -> None:
        self.build = build

    def at(self, x: Value, t: int, suffix: str, column: bool = False) -> Value:
        """Token ``t`` as rows [b, heads, 1, d], or as columns [b, heads, d, 1]."""
        row = self.build.slice(x, 2, t, t + 1, f"{suffix}{t}")
        return self.build.transpose(row, (0, 1, 3, 2)) if column else row


@rule("LinearAttention")
def _linear_attention(build: Builder, node: Node) -> None:
    known = operator("LinearAttention")
    assert isinstance(known, LinearAttention)
    (heads, key_heads), tokens = known.heads(node), _Tokens(build)
    q = split_heads(build, source(node), heads, "queries")
    k, v = (split_heads(build, source(node, i), key_heads, f"heads{i}") for i in (1, 2))
    decay, beta = node.input(4), node.input(5)
    if decay is not None:
        decay = build.apply("Exp", split_heads(build, decay, key_heads, "decay"), suffix="kept")
    if beta is not None:
        beta = split_heads(build, beta, shape(beta)[2], "beta")
    state = _first_state(build, node, q, v)
    (b, _, count, dk), dv = shape(q), shape(v)[3]
    read = []
    for t in range(count):
        value = tokens.at(v, t, "value")
        if decay is not None:
            state = build.apply("Mul", state, tokens.at(decay, t, "kept", True), suffix=f"kept{t}")
        if beta is not None:
            known_value = build.apply("MatMul", tokens.at(k, t, "key"), state, suffix=f"known{t}")
            value = build.apply("Sub", value, known_value, suffix=f"news{t}")
            value = build.apply("Mul", value, tokens.at(beta, t, "rate"), suffix=f"corrected{t}")
        added = build.apply("Mul", tokens.at(k, t, "key", True), value, suffix=f"added{t}")
        state = build.apply("Add", state, added, suffix=f"state{t}")
        query = tokens.at(q, t, "query")
        query = build.reshape(query, (b, key_heads, heads // key_heads, dk), f"queries{t}")
        y = build.apply("MatMul", query, state, suffix=f"read{t}")
        read.append(build.reshape(y, (b, 1, heads * dv), f"row{t}"))
    rows = read[0] if len(read) == 1 else build.apply("Concat", *read, suffix="rows", axis=1)
    y = build.apply("Mul", rows, build.number(known.scale(node, dk), rows), suffix="scaled")
    for old, new in zip(node.outputs, (y, state), strict=True):
        build.rewrite.substitute(old, build.cast(new, dtype_of(old), f"{old.name}.narrow"))


def _first_state(build: Builder, node: Node, q: Value, v: Value) -> Value:
    state = node.input(3)
    if state is not None:
        return build.cast(state, dtype_of(q), "past")
    extents = (shape(q)[0], shape(v)[1], shape(q)[3], shape(v)[3])
    return constant(f"{build.name}.zeros", np.zeros(extents, dtype_of(q)))


@rule("CausalConvWithState")
def _causal_convolution(build: Builder, node: Node) -> None:
    """A convolution of what came before and the input, whose end is the next state."""
    x, weight, bias, past = source(node), source(node, 1), node.input(2), node.input(3)
    (b, channels, _), before = shape(x), shape(weight)[2] - 1
    if past is None:
        past = constant(f"{build.name}.past", np.zeros((b, channels, before), dtype_of(x)))
    whole = build.apply("Concat", past, x, suffix="whole", axis=2)
    y = build.apply("Conv", whole, weight, bias, suffix="convolved", group=channels)
    if attribute(node, "activation") != "none":
        y = build.apply("Swish", y, suffix="activated")
    length = shape(whole)[2]
    state = build.slice(whole, 2, length - before, length, "state")
    for old, new in zip(node.outputs, (y, state), strict=False):
        build.rewrite.substitute(old, new)
