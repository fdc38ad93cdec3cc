"""Quantised matrix products: against the decoded weights, and equal to the bit where promised."""

from __future__ import annotations

import numpy as np
import pytest

from pyhades import kernels
from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.quant import (
    PackedWeight,
    dequantize,
    from_bf16,
    from_q8,
    q8_row_bytes,
    quantize,
    to_bf16,
    to_q8,
)
from tests.support.guarded import guarded

QUANTISED = ["mxfp4", "int4_g32", "int8_g32", "int8_row"]
ALL = [*QUANTISED, "bf16", "f32"]


def random(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def expected_product(a, q, compute) -> np.ndarray:
    """The product of what activations and weights stand for, in float64."""
    rounded = from_q8(to_q8(a), a.shape[1]) if compute == "int8" else from_bf16(to_bf16(a))
    return rounded.astype(np.float64) @ dequantize(q).T.astype(np.float64)


def bound(a, q) -> np.ndarray:
    """Of rounding: each of k sums may be off by half an ulp of the sum of magnitudes."""
    magnitudes = np.abs(a).astype(np.float64) @ np.abs(dequantize(q)).T.astype(np.float64)
    return magnitudes * a.shape[1] * 2.0**-24 * 1.1


@pytest.mark.covers(*(f"qgemm_{name}_q8" for name in QUANTISED))
@pytest.mark.parametrize(("n", "k"), [(1, 32), (16, 64), (33, 96), (70, 544)])
@pytest.mark.parametrize("m", [1, 2, 5, 6, 19])
def test_int8_activations(tier, n, k, m):
    for name in QUANTISED:
        a, q = random(m, m, k), quantize(random(n, n, k), name)
        y = kernels.qgemm(a, kernels.pack_weight(q), isa=tier)
        assert np.all(np.abs(y - expected_product(a, q, "int8")) <= bound(a, q))


@pytest.mark.covers(*(f"qgemm_{name}_f32" for name in ALL))
@pytest.mark.parametrize(("n", "k"), [(1, 32), (33, 96), (70, 544)])
@pytest.mark.parametrize("m", [1, 5, 19])
def test_bf16_activations(tier, n, k, m):
    bias, residual = random(2, n), random(3, m, n)
    options = {"bias": bias, "residual": residual, "activation": "relu", "isa": tier}
    for name in ALL:
        a, q = random(m, m, k), quantize(random(n, n, k), name)
        y = kernels.qgemm(to_bf16(a), kernels.pack_weight(q), **options)
        expected = np.maximum(expected_product(a, q, "bf16") + bias, 0) + residual
        assert np.all(np.abs(y - expected) <= bound(a, q) + 2.0**-21)


@pytest.mark.parametrize("name", QUANTISED)
@pytest.mark.parametrize(("n", "k"), [(53, 1120), (33, 3232)])
def test_rows_are_equal_to_the_bit_in_every_tier_and_batch(name, n, k):
    a, weight = random(0, 40, k), kernels.pack_weight(quantize(random(1, n, k), name))
    expected = kernels.qgemm(a, weight, isa="scalar", threads=1)
    for tier in kernels.supported_tiers():
        for threads in (1, 2, 3):
            y = kernels.qgemm(a, weight, isa=tier, threads=threads)
            np.testing.assert_array_equal(y, expected)
        for first, last in [(0, 1), (3, 5), (2, 5), (0, 4), (4, 9), (1, 7), (7, 31)]:
            y = kernels.qgemm(a[first:last], weight, isa=tier)
            np.testing.assert_array_equal(y, expected[first:last])


@pytest.mark.parametrize("name", ALL)
def test_float_rows_do_not_depend_on_the_batch(tier, name):
    a, weight = to_bf16(random(0, 9, 608)), kernels.pack_weight(quantize(random(1, 53, 608), name))
    whole = kernels.qgemm(a, weight, isa=tier, threads=2)
    for row in range(len(a)):
        one = kernels.qgemm(a[row : row + 1], weight, isa=tier, threads=1)
        np.testing.assert_array_equal(one[0], whole[row])


def test_more_rows_than_fit_at_once(tier):
    a, q = random(0, 515, 32), quantize(random(1, 5, 32), "int8")
    y = kernels.qgemm(a, kernels.pack_weight(q), isa=tier)
    assert np.all(np.abs(y - expected_product(a, q, "int8")) <= bound(a, q))


def test_extreme_values_do_not_overflow(tier):
    """All weights and activations at their ends: the sums that saturate 16 bits, if any do."""
    for name in QUANTISED:
        for sign in (1, -1):
            w = np.full((16, 64), sign, np.float32) * np.where(np.arange(64) % 2, 1, -1)
            q = quantize(w, name)
            a = np.full((7, 64), 127, np.float32) * np.where(np.arange(64) % 2, 1, -1)
            a = a.astype(np.float32)
            y = kernels.qgemm(a, kernels.pack_weight(q), isa=tier)
            np.testing.assert_array_equal(y, expected_product(a, q, "int8").astype(np.float32))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("at", ["start", "end"])
@pytest.mark.parametrize("m", [1, 3, 17])
def test_touches_nothing_outside(tier, name, at, m):
    a, q = random(0, m, 96), quantize(random(1, 21, 96), name)
    packed = kernels.pack_weight(q)
    weight = PackedWeight(guarded(packed.data, at=at), packed.format, packed.shape)
    rows = guarded(to_bf16(a) if name in ("bf16", "f32") else to_q8(a), at=at)
    out, bias = guarded(np.zeros((m, 21), np.float32), at=at), guarded(random(2, 21), at=at)
    product = kernels.qgemm if name in ("bf16", "f32") else kernels.qgemm_int8
    y = product(rows, weight, bias, isa=tier, out=out)
    np.testing.assert_array_equal(y, product(np.array(rows), packed, bias, isa=tier))


@pytest.mark.covers("quantize_row_f32")
@pytest.mark.parametrize("at", ["start", "end"])
def test_quantised_rows_are_those_of_numpy(tier, at):
    x = random(0, 5, 128) * np.float32(10.0) ** np.arange(-20, 20, 8)[:, None].astype(np.float32)
    x[1, :32] = 0
    x[2, 0], x[2, 40] = 127.0, 127 / 64  # where the scale changes
    x[3, 64] = np.nextafter(np.float32(127), np.float32(200))
    rows = kernels.quantize_rows(guarded(x, at=at), isa=tier)
    np.testing.assert_array_equal(rows, to_q8(x))
    np.testing.assert_array_equal(kernels.quantize_rows(x, "bf16", isa=tier), to_bf16(x))


def test_quantisation_keeps_seven_bits():
    x = random(0, 3, 320)
    assert np.all(np.abs(from_q8(to_q8(x), 320) - x) <= np.abs(x).max() / 63.5 / 2)


@pytest.mark.covers("rms_norm_quantize_f32")
@pytest.mark.parametrize("compute", ["int8", "bf16"])
def test_norm_then_quantise(tier, compute):
    x, weight = random(0, 4, 2880), random(1, 2880)
    rows = kernels.rms_norm_quantize(x, weight, 1e-5, compute, isa=tier)
    actual = from_q8(rows, 2880) if compute == "int8" else from_bf16(rows)
    mean = np.square(x.astype(np.float64)).mean(-1, keepdims=True)
    normed = (x / np.sqrt(mean + 1e-5) * weight).astype(np.float32)
    step = 2.0**-6 if compute == "int8" else 2.0**-7
    blocks = np.abs(normed).reshape(4, -1, 32).max(-1).repeat(32, -1)
    assert np.all(np.abs(actual - normed) <= blocks * step / 2 * 1.01)


def test_gate_up_order_comes_back():
    w = random(0, 64, 32)
    weight = kernels.pack_weight(quantize(w, "f32"), row_order="gate_up")
    y = kernels.qgemm(np.eye(32, dtype=np.float32), weight).T
    for tile in range(4):
        pairs = tile // 2 * 16 + np.arange(16)
        np.testing.assert_array_equal(y[tile * 16 : tile * 16 + 16], w[2 * pairs + tile % 2])


def test_a_stack_is_packed_one_after_the_other():
    w = random(0, 3, 20, 64)
    stack = kernels.pack_weight(quantize(w, "mxfp4"))
    each = [kernels.pack_weight(quantize(matrix, "mxfp4")).data for matrix in w]
    np.testing.assert_array_equal(stack.data, np.concatenate(each))


@pytest.mark.parametrize(
    ("arguments", "error", "complaint"),
    [
        ({"a": np.zeros((2, 32), np.float32)}, ArgumentError, "a has shape"),
        ({"a": np.zeros((2, 64))}, ArgumentTypeError, "float64"),
        ({"bias": np.zeros(5, np.float32)}, ArgumentError, "bias"),
        ({"residual": np.zeros((2, 5), np.float32)}, ArgumentError, "residual"),
        ({"compute": "fp8"}, ArgumentError, "fp8"),
        ({"activation": "nope"}, ArgumentError, "nope"),
    ],
)
def test_refuses_what_does_not_fit(arguments, error, complaint):
    weight = kernels.pack_weight(quantize(random(0, 4, 64), "int8"))
    with pytest.raises(error, match=complaint):
        kernels.qgemm(**{"a": random(1, 2, 64), "w": weight} | arguments)


def test_float_weights_refuse_int8_rows():
    weight = kernels.pack_weight(quantize(random(0, 4, 64), "bf16"))
    with pytest.raises(ArgumentError, match="bf16 weights need bfloat16"):
        kernels.qgemm_int8(np.zeros((1, q8_row_bytes(64)), np.uint8), weight)
