"""Mixtures of experts, routing and embedding, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from pyhades import kernels
from pyhades.errors import ArgumentError
from pyhades.kernels import reference
from pyhades.quant import dequantize, from_bf16, from_q8, quantize, to_bf16, to_q8
from tests.kernels.test_qgemm import random
from tests.support.guarded import guarded

EXPERTS, HIDDEN, WIDTH, CHOSEN = 5, 64, 96, 3


class Model:
    """Random experts, and their networks in float64."""

    def __init__(self, format: str = "mxfp4", has_biases: bool = True) -> None:
        self.gate_up = quantize(random(1, EXPERTS, 2 * WIDTH, HIDDEN) / 4, format)
        self.down = quantize(random(2, EXPERTS, HIDDEN, WIDTH) / 4, format)
        self.gate_up_bias = random(3, EXPERTS, 2 * WIDTH)
        self.down_bias = random(4, EXPERTS, HIDDEN)
        if not has_biases:
            self.gate_up_bias = self.down_bias = None

    def run(self, a, ids, weights, **keywords):
        return kernels.moe(
            a, ids, weights, kernels.pack_weight(self.gate_up, "gate_up"), self.gate_up_bias,
            kernels.pack_weight(self.down), self.down_bias, **keywords,
        )  # fmt: skip

    def expected(self, a, ids, weights, compute, limit=7.0, alpha=1.702):
        int8 = compute == "int8"
        x = from_q8(to_q8(a), HIDDEN) if int8 else from_bf16(to_bf16(a))
        gate_up, down = dequantize(self.gate_up), dequantize(self.down)
        y = np.zeros((len(a), HIDDEN))
        for token in range(len(a)):
            for expert, share in zip(ids[token], weights[token], strict=True):
                h = gate_up[expert].astype(np.float64) @ x[token] + self.gate_up_bias[expert]
                gate, up = np.minimum(h[::2], limit), np.clip(h[1::2], -limit, limit)
                out = (up + 1) * gate / (1 + np.exp(-alpha * gate))
                if int8:
                    out = from_q8(to_q8(out.astype(np.float32)[None]), WIDTH)[0]
                y[token] += share * (down[expert] @ out + self.down_bias[expert])
        return y


def route(tokens: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    return kernels.top_k(random(seed, tokens, EXPERTS) * 3, CHOSEN)


@pytest.mark.covers("moe_f32")
@pytest.mark.parametrize("tokens", [1, 2, 7, 40])
@pytest.mark.parametrize(
    ("format", "compute"),
    [("mxfp4", "int8"), ("mxfp4", "bf16"), ("int4_g32", "int8"), ("bf16", "bf16")],
)
def test_against_float64(tier, tokens, format, compute):
    model, a, (ids, weights) = Model(format), random(9, tokens, HIDDEN), route(tokens)
    y = model.run(a, ids, weights, compute=compute, isa=tier)
    expected = model.expected(a, ids, weights, compute)
    # A value between two int8 may be rounded the other way by an ulp before it.
    assert np.abs(y - expected).max() <= (0.02 if compute == "int8" else 2e-5)
    assert np.abs(y - expected).mean() <= (5e-4 if compute == "int8" else 2e-6)


def test_limits_of_gate_and_up(tier):
    """Gates are cut off above only, ups on both sides."""
    model, a, (ids, weights) = Model("f32"), 30 * random(9, 6, HIDDEN), route(6)
    y = model.run(to_bf16(a), ids, weights, isa=tier, limit=2.0, alpha=0.5)
    expected = model.expected(a, ids, weights, "bf16", limit=2.0, alpha=0.5)
    assert np.abs(y - expected).max() <= 2e-4


@pytest.mark.covers("moe_f32")
@pytest.mark.parametrize("has_biases", [False, True])
@pytest.mark.parametrize("activation", ["swiglu", "clamped_swiglu"])
@pytest.mark.parametrize(
    ("format", "compute"), [("int8_g32", "int8"), ("mxfp4", "int8"), ("bf16", "bf16")]
)
def test_activations_with_and_without_biases(tier, activation, has_biases, format, compute):
    model, a, (ids, weights) = Model(format, has_biases), random(9, 19, HIDDEN), route(19)
    y = model.run(a, ids, weights, compute=compute, activation=activation, isa=tier)
    expected = reference.moe(
        a, ids, weights, kernels.pack_weight(model.gate_up, "gate_up"), model.gate_up_bias,
        kernels.pack_weight(model.down), model.down_bias, compute=compute, activation=activation,
    )  # fmt: skip
    assert np.abs(y - expected).max() <= (0.02 if compute == "int8" else 2e-5)
    assert np.abs(y - expected).mean() <= (5e-4 if compute == "int8" else 2e-6)


def test_no_bias_is_a_bias_of_nothing(tier):
    model, a, (ids, weights) = Model(has_biases=False), random(9, 5, HIDDEN), route(5)
    without = model.run(a, ids, weights, isa=tier)
    model.gate_up_bias = np.zeros((EXPERTS, 2 * WIDTH), np.float32)
    model.down_bias = np.zeros((EXPERTS, HIDDEN), np.float32)
    np.testing.assert_array_equal(model.run(a, ids, weights, isa=tier), without)


def test_gates_far_from_zero(tier):
    """Gates of which the exponential overflows switch their ups off, or let them through."""
    model, a, (ids, weights) = Model("f32", False), 300 * random(9, 6, HIDDEN), route(6)
    y = model.run(to_bf16(a), ids, weights, isa=tier, activation="swiglu")
    packed = kernels.pack_weight(model.gate_up, "gate_up"), kernels.pack_weight(model.down)
    expected = reference.moe(
        to_bf16(a), ids, weights, packed[0], None, packed[1], activation="swiglu"
    )
    assert np.isfinite(y).all()
    assert np.abs(y - expected).max() <= 4e-6 * np.abs(expected).max()


@pytest.mark.parametrize("format", ["mxfp4", "bf16"])
def test_a_token_does_not_depend_on_the_others(tier, format):
    """Whether experts see one token or many, in any company, and on any number of threads."""
    model, a, residual = Model(format), random(9, 40, HIDDEN), random(8, 40, HIDDEN)
    ids, weights = route(40)
    whole = model.run(a, ids, weights, residual=residual, isa=tier, threads=2)
    for part in (slice(0, 1), slice(5, 6), slice(3, 30)):
        options = {"residual": residual[part], "isa": tier, "threads": 1}
        y = model.run(a[part], ids[part], weights[part], **options)
        np.testing.assert_array_equal(y, whole[part])


def test_many_tokens_of_one_expert(tier):
    ids = np.zeros((520, 1), np.int32)
    model, a, weights = Model(), random(9, 520, HIDDEN), np.ones((520, 1), np.float32)
    y = model.run(a, ids, weights, isa=tier)
    np.testing.assert_array_equal(y[515:], model.run(a[515:], ids[515:], weights[515:], isa=tier))


def test_no_tokens():
    ids, weights = np.zeros((0, CHOSEN), np.int32), np.zeros((0, CHOSEN), np.float32)
    assert Model().run(np.zeros((0, HIDDEN), np.float32), ids, weights).shape == (0, HIDDEN)


@pytest.mark.parametrize("at", ["start", "end"])
@pytest.mark.parametrize("has_biases", [False, True])
@pytest.mark.parametrize("activation", ["swiglu", "clamped_swiglu"])
def test_touches_nothing_outside(tier, at, activation, has_biases):
    model, a, (ids, weights) = Model("mxfp4", has_biases), random(9, 3, HIDDEN), route(3)
    how = {"isa": tier, "activation": activation}
    expected = model.run(a, ids, weights, **how)
    if has_biases:
        model.gate_up_bias = guarded(model.gate_up_bias, at=at)
        model.down_bias = guarded(model.down_bias, at=at)
    out = guarded(np.zeros_like(expected), at=at)
    model.run(guarded(a, at=at), guarded(ids, at=at), guarded(weights, at=at), out=out, **how)
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"ids": np.full((3, CHOSEN), EXPERTS, np.int32)}, "ids must be below"),
        ({"weights": np.zeros((3, 1), np.float32)}, "weights"),
        ({"a": np.zeros((3, 32), np.float32)}, "a has shape"),
        ({"residual": np.zeros((1, HIDDEN), np.float32)}, "residual"),
        ({"activation": "geglu"}, "activation='geglu' is none of 'clamped_swiglu', 'swiglu'"),
    ],
)
def test_refuses_what_does_not_fit(change, complaint):
    ids, weights = route(3)
    arguments = {"a": random(9, 3, HIDDEN), "ids": ids, "weights": weights} | change
    with pytest.raises(ArgumentError, match=complaint):
        Model().run(**arguments)


def test_plain_row_order_is_refused():
    model, (ids, weights) = Model(), route(1)
    with pytest.raises(ArgumentError, match="row_order"):
        kernels.moe(
            random(0, 1, HIDDEN), ids, weights, kernels.pack_weight(model.gate_up),
            model.gate_up_bias, kernels.pack_weight(model.down), model.down_bias,
        )  # fmt: skip


@pytest.mark.parametrize("k", [1, 4, 32])
def test_top_k(k):
    logits = random(0, 50, 32)
    ids, weights = kernels.top_k(logits, k)
    order = np.argsort(-logits, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(ids, order)
    chosen = np.take_along_axis(logits.astype(np.float64), order, 1)
    shares = np.exp(chosen - chosen[:, :1])
    np.testing.assert_allclose(weights, shares / shares.sum(1, keepdims=True), rtol=1e-6)


def test_top_k_of_equals_and_no_numbers():
    ids, weights = kernels.top_k(np.float32([[1, 1, 1, 1], [np.nan, 2, np.nan, -np.inf]]), 2)
    np.testing.assert_array_equal(ids, [[0, 1], [1, 0]])
    np.testing.assert_array_equal(weights, [[0.5, 0.5], [1, 0]])
    with pytest.raises(ArgumentError, match="k=5"):
        kernels.top_k(np.zeros((1, 4), np.float32), 5)


@pytest.mark.covers("embed_bf16", "embed_int8")
@pytest.mark.parametrize("at", ["start", "end"])
def test_embedding(tier, at):
    table, tokens = random(0, 11, 96), np.int32([3, 0, 10, 3])
    bits = to_bf16(table)
    y = kernels.embed(tokens, guarded(bits, at=at), isa=tier)
    np.testing.assert_array_equal(y, from_bf16(bits)[tokens])
    q = quantize(table, "int8")
    y = kernels.embed(tokens, guarded(q.values, at=at), guarded(q.scales, at=at), isa=tier)
    np.testing.assert_array_equal(y, dequantize(q)[tokens])
    with pytest.raises(ArgumentError, match="below 11"):
        kernels.embed(np.int32([11]), bits)
