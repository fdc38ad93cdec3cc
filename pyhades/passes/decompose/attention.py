"""Attention and rotary positions: the fused kernel where it can, else scores and weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pyhades.ir.graph import Node, Value
from pyhades.ir.inference import constant
from pyhades.ir.ops.attention import Attention, RotaryEmbedding
from pyhades.ir.registry import attribute, operator
from pyhades.ir.shapes import shape
from pyhades.passes.decompose.rule import Builder, dtype_of, rule, source


def split_heads(build: Builder, x: Value, heads: int, suffix: str) -> Value:
    """[b, tokens, heads * d] as [b, heads, tokens, d], a view."""
    b, tokens, width = shape(x)
    return build.transpose(
        build.reshape(x, (b, tokens, heads, width // heads), suffix), (0, 2, 1, 3)
    )


def merge_heads(build: Builder, x: Value) -> Value:
    """[b, heads, tokens, d] as [b, tokens, heads * d]."""
    b, heads, tokens, d = shape(x)
    return build.reshape(build.transpose(x, (0, 2, 1, 3)), (b, tokens, heads * d), "merged")


@rule("Attention")
def _attention(build: Builder, node: Node) -> None:
    _Attention(build, node).rewrite()


class _Attention:
    """One Attention node with its operands as [b, heads, tokens, d]."""

    def __init__(self, build: Builder, node: Node) -> None:
        known = operator("Attention")
        assert isinstance(known, Attention)
        self.build, self.node = build, node
        self.left, self.right = known.band(node)
        self.q, k, v = (
            x
            if len(shape(x)) == 4
            else split_heads(build, x, known.heads(node, index), f"heads{index}")
            for index, x in enumerate(source(node, i) for i in range(3))
        )
        self.scale = known.scale(node, shape(self.q)[3])
        self.k, self.v = (
            x if past is None else build.apply("Concat", past, x, suffix=f"present{index}", axis=2)
            for index, (past, x) in enumerate(((node.input(4), k), (node.input(5), v)))
        )
        self.lengths = node.input(6)
        self.past = shape(self.k)[2] - shape(k)[2]

    def rewrite(self) -> None:
        """Let the results stand for the outputs of the node."""
        scores = len(self.node.outputs) > 3 or attribute(self.node, "softcap")
        if scores or dtype_of(self.q) != np.float32:
            y, stage = self._by_scores()
        else:
            y, stage = self._fused(), None
        if len(shape(self.node.outputs[0])) == 3:
            y = merge_heads(self.build, y)
        results = [y, self.k, self.v, stage]
        for old, new in zip(self.node.outputs, results, strict=False):
            assert new is not None
            self.build.rewrite.substitute(
                old, self.build.cast(new, dtype_of(old), f"{old.name}.to")
            )

    def _fused(self) -> Value:
        build, values = self.build, self.build.cast(self.v, np.float32, "values")
        causal, window, banded = self._native_band()
        terms = self._terms() if banded else [*self._terms(), self._hidden(self._band())]
        while len(terms) > 2:
            terms[-2:] = [build.apply("Add", *terms[-2:], suffix=f"terms{len(terms)}")]
        while len(terms) < 2:
            terms.append(None)
        lengths = self.lengths
        if lengths is not None:
            lengths = build.cast(lengths, np.int32, "lengths")
        attributes = {"scale": self.scale, "causal": causal, "window": window}
        operands = [self.q, build.cast(self.k, np.float32, "keys"), values, *terms, lengths]
        return build.apply("FusedAttention", *operands, suffix="attention", **attributes)

    def _native_band(self) -> tuple[int, int, bool]:
        """What the kernel takes as causal and window, and whether that says all."""
        m, n = shape(self.q)[2], shape(self.k)[2]
        if self.left is None and self.right is None:
            return 0, 0, True
        if self.lengths is None and self.past != n - m:
            return 0, 0, False  # the last query does not stand at the last key
        window = 0 if self.left is None else self.left + 1
        if self.right == 0:
            return 1, window, True
        return (0, window, True) if self.left == self.right else (0, 0, False)

    def _terms(self) -> list[Value | None]:
        """The mask, as something to add."""
        mask, n = self.node.input(3), shape(self.k)[2]
        if mask is None:
            return []
        if dtype_of(mask) == np.bool_:
            mask = self._hidden(mask)
        mask = self.build.cast(mask, dtype_of(self.q), "mask")
        missing = n - shape(mask)[-1]
        if missing and shape(mask)[-1] == 1:
            missing = 0
        if missing:
            pads = [*[0] * (2 * len(shape(mask)) - 1), missing]
            fill = self.build.number(-np.inf, mask)
            mask = self.build.apply(
                "Pad", mask, self.build.integers("missing", pads), fill, suffix="padded"
            )
        if len(shape(mask)) < 4:
            mask = self.build.reshape(mask, (*(1,) * (4 - len(shape(mask))), *shape(mask)), "mask4")
        return [mask]

    def _hidden(self, visible: Value) -> Value:
        """Zero where a key is visible, minus infinity where it is not."""
        zero, hidden = self.build.number(0, self.q), self.build.number(-np.inf, self.q)
        return self.build.apply("Where", visible, zero, hidden, suffix=f"{visible.name}.bias")

    def _positions(self) -> tuple[Value, Value]:
        """Positions of queries [1 or b, 1, m, 1] and keys [1, 1, 1, n]."""
        build, (m, n) = self.build, (shape(self.q)[2], shape(self.k)[2])
        rows = np.arange(m, dtype=np.int64).reshape(1, 1, m, 1)
        keys = constant(f"{build.name}.keys", np.arange(n, dtype=np.int64).reshape(1, 1, 1, n))
        if self.lengths is None:
            return constant(f"{build.name}.queries", rows + self.past), keys
        ends = build.reshape(self.lengths, (shape(self.lengths)[0], 1, 1, 1), "ends")
        return build.apply("Add", ends, constant(f"{build.name}.rows", rows - m)), keys

    def _band(self) -> Value:
        """Which keys each query sees, by position."""
        build = self.build
        queries, keys = self._positions()
        conditions = []
        if self.left is not None:
            first = build.apply("Sub", queries, build.number(self.left, queries), suffix="first")
            conditions.append(build.apply("GreaterOrEqual", keys, first, suffix="after_first"))
        if self.right is not None:
            last = build.apply("Add", queries, build.number(self.right, queries), suffix="last")
            conditions.append(build.apply("LessOrEqual", keys, last, suffix="before_last"))
        return conditions[0] if len(conditions) == 1 else build.apply("And", *conditions)

    def _by_scores(self) -> tuple[Value, Value]:
        """The result, and the stage of the scores that the fourth output is."""
        build, q = self.build, self.q
        keys = self._repeated(build.cast(self.k, dtype_of(q), "keys"), "keys")
        values = self._repeated(build.cast(self.v, dtype_of(q), "values"), "values")
        turned = build.transpose(keys, (0, 1, 3, 2))
        product = build.apply("MatMul", q, turned, suffix="product")
        raw = build.apply("Mul", product, build.number(self.scale, q), suffix="scores")
        capped = self._capped(raw)
        biased = capped
        terms = self._terms()
        if self.left is not None or self.right is not None:
            terms.append(self._hidden(self._band()))
        if self.lengths is not None:
            _, positions = self._positions()
            ends = build.reshape(self.lengths, (shape(self.lengths)[0], 1, 1, 1), "existing")
            terms.append(self._hidden(build.apply("Less", positions, ends, suffix="exists")))
        for index, term in enumerate(terms):
            biased = build.apply("Add", biased, term, suffix=f"biased{index}")
        weights = build.apply("Softmax", biased, suffix="weights", axis=-1)
        stage = (raw, capped, biased, weights)[attribute(self.node, "qk_matmul_output_mode")]
        return build.apply("MatMul", weights, values, suffix="attention"), stage

    def _capped(self, scores: Value) -> Value:
        softcap = float(attribute(self.node, "softcap"))
        if softcap == 0:
            return scores
        build = self.build
        share = build.apply("Div", scores, build.number(softcap, scores), suffix="share")
        return build.apply(
            "Mul", build.apply("Tanh", share), build.number(softcap, scores), suffix="capped"
        )

    def _repeated(self, x: Value, suffix: str) -> Value:
        """Key heads as often as query heads share them."""
        (b, heads, n, d), wanted = shape(x), shape(self.q)[1]
        if heads == wanted:
            return x
        shared = self.build.reshape(x, (b, heads, 1, n, d), f"{suffix}.shared")
        extents = (b, heads, wanted // heads, n, d)
        target = self.build.integers(f"{suffix}.extents", extents)
        repeated = self.build.apply("Expand", shared, target, suffix=f"{suffix}.repeated")
        return self.build.reshape(repeated, (b, wanted, n, d), f"{suffix}.heads")


@rule("RotaryEmbedding")
def _rotary_embedding(build: Builder, node: Node) -> None:
    known = operator("RotaryEmbedding")
    assert isinstance(known, RotaryEmbedding)
    x = source(node)
    flat = len(shape(x)) == 3
    heads = split_heads(build, x, known.heads(node), "heads") if flat else x
    count, d = known.rotated(node, shape(heads)[3]), shape(heads)[3]
    cosine, sine = (_angles(build, node, index) for index in (1, 2))
    rotated = heads if count == d else build.slice(heads, 3, 0, count, "rotated")
    interleaved = bool(attribute(node, "interleaved"))
    parts = _turned(build, rotated, cosine, sine, interleaved)
    if interleaved:
        extents = shape(rotated)
        pairs = [
            build.reshape(part, (*shape(part), 1), f"pair{index}")
            for index, part in enumerate(parts)
        ]
        parts = [build.reshape(build.apply("Concat", *pairs, axis=4), extents, "interleaved")]
    if count < d:
        parts = [*parts, build.slice(heads, 3, count, d, "rest")]
    y = parts[0] if len(parts) == 1 else build.apply("Concat", *parts, suffix="turned", axis=3)
    build.become_reshape(merge_heads(build, y) if flat else y)


def _angles(build: Builder, node: Node, index: int) -> Value:
    """A table of cosines or sines at the positions, [b, 1, tokens, half]."""
    values, positions = source(node, index), node.input(3)
    if positions is not None:
        values = build.apply("Gather", values, positions, suffix=f"table{index}", axis=0)
    b, tokens, half = shape(values)
    return build.reshape(values, (b, 1, tokens, half), f"angles{index}")


def _turned(
    build: Builder, x: Value, cosine: Value, sine: Value, interleaved: bool
) -> Sequence[Value]:
    count = shape(x)[3]
    bounds = (
        [(0, count, 2), (1, count, 2)]
        if interleaved
        else [(0, count // 2, 1), (count // 2, count, 1)]
    )
    low, high = (
        build.slice(x, 3, start, stop, f"half{index}", step)
        for index, (start, stop, step) in enumerate(bounds)
    )

    def product(half: Value, angles: Value, suffix: str) -> Value:
        return build.apply("Mul", half, angles, suffix=suffix)

    real = build.apply(
        "Sub", product(low, cosine, "low.cos"), product(high, sine, "high.sin"), suffix="real"
    )
    imaginary = build.apply(
        "Add", product(low, sine, "low.sin"), product(high, cosine, "high.cos"), suffix="imaginary"
    )
    return [real, imaginary]


@rule("TensorScatter")
def _tensor_scatter(build: Builder, node: Node) -> None:
    """ScatterElements at rows that follow from the start of each batch entry."""
    cache, update, starts = source(node), source(node, 1), node.input(2)
    extents = shape(cache)
    axis, count = attribute(node, "axis") % len(extents), shape(update)[attribute(node, "axis")]
    ones = [1] * len(extents)
    rows = np.arange(count, dtype=np.int64).reshape(*ones[:axis], count, *ones[axis + 1 :])
    where = constant(f"{build.name}.rows", rows)
    if starts is not None:
        first = build.reshape(starts, (extents[0], *ones[1:]), "starts")
        where = build.apply("Add", first, where, suffix="where")
        if attribute(node, "mode") == "circular":
            where = build.apply("Mod", where, build.number(extents[axis], where), suffix="wrapped")
    target = build.integers("extents", shape(update))
    indices = build.apply("Expand", where, target, suffix="indices")
    build.become("ScatterElements", cache, indices, update, axis=axis)
