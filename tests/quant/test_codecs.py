"""Codecs of the weight formats: how far rounding goes, what comes back, what is refused."""

from __future__ import annotations

import gguf
import numpy as np
import pytest

from pyhades.errors import ArgumentError
from pyhades.quant import FORMATS, dequantize, from_bf16, from_mxfp4, quantize, to_bf16

FP4 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6], np.float32)


@pytest.fixture
def w() -> np.ndarray:
    """Weights of rows and blocks of very different size, some of them zero."""
    random = np.random.default_rng(0)
    weights = random.standard_normal((3, 8, 128)).astype(np.float32)
    weights *= 10.0 ** random.integers(-2, 3, (3, 8, 1))
    weights[0, 0, :32] = 0
    weights[1, 2] = 0
    return weights


def groups(array: np.ndarray) -> np.ndarray:
    return array.reshape(*array.shape[:-1], -1, 32)


@pytest.mark.parametrize(("name", "most"), [("int8_g32", 127), ("int4_g32", 8)])
def test_groups_round_to_the_nearest(name, most, w):
    q = quantize(w, name)
    assert q.scales.dtype == np.float16 and q.scales.shape == (3, 8, 4)
    step = np.abs(groups(w)).max(-1, keepdims=True) / most
    error = np.abs(groups(dequantize(q)) - groups(w))
    # Half a step, a whole one on INT4's shorter side; float16 scales add 2^-11 of the weight.
    allowed = step * (0.5 if most == 127 else 1.0) + np.abs(groups(w)) * 2**-11
    assert (error <= allowed * 1.001 + 1e-9).all()
    assert (dequantize(q)[1, 2] == 0).all() and (dequantize(q)[0, 0, :32] == 0).all()


def test_int8_rows_round_to_the_nearest(w):
    q = quantize(w, "int8", None)
    assert (q.format, q.scales.dtype, q.scales.shape) == ("int8_row", np.float32, (3, 8))
    step = np.abs(w).max(-1, keepdims=True) / 127
    assert (np.abs(dequantize(q) - w) <= step * 0.5001).all()


def test_mxfp4_takes_the_better_of_two_scales(w):
    q = quantize(w, "mxfp4")
    error = np.square(groups(dequantize(q)) - groups(w)).sum(-1)
    largest = np.abs(groups(w)).max(-1)
    exponent = np.floor(np.log2(np.where(largest > 0, largest, 1))) - 2
    for scale in (2.0**exponent, 2.0 ** (exponent + 1)):
        magnitude = np.abs(groups(w)) / scale[..., None]
        nearest = FP4[np.abs(magnitude[..., None] - FP4).argmin(-1)]
        other = np.square((nearest - magnitude) * scale[..., None]).sum(-1)
        assert (error <= other * 1.0001).all()


@pytest.mark.parametrize("name", FORMATS)
def test_what_has_been_rounded_stays(name, w):
    once = dequantize(quantize(w, name))
    assert once.dtype == np.float32 and once.shape == w.shape
    if name == "int8_row":  # float32 scales are not exact themselves
        np.testing.assert_allclose(dequantize(quantize(once, name)), once, rtol=1e-6)
    elif name not in ("int8_g32", "int4_g32"):  # nor do float16 ones come back
        np.testing.assert_array_equal(dequantize(quantize(once, name)), once)


def test_bf16_rounds_half_to_even():
    x = np.array([1.0, 1 + 2**-8, 1 + 3 * 2**-8, -(1 + 2**-8 + 2**-20), 3e38], np.float32)
    rounded = from_bf16(to_bf16(x))
    assert rounded.tolist()[:4] == [1.0, 1.0, 1 + 2**-6, -(1 + 2**-7)]
    assert rounded[4] == pytest.approx(3e38, rel=2**-8)
    assert np.isnan(from_bf16(to_bf16(np.array([np.nan], np.float32)))).all()


def test_nibble_orders_of_mxfp4():
    random = np.random.default_rng(1)
    blocks = random.integers(0, 256, (4, 3, 16), np.uint8)
    scales = random.integers(110, 140, (4, 3), np.uint8)
    stored = np.concatenate([scales[..., None], blocks], -1).reshape(4, -1)
    wanted = gguf.quants.dequantize(stored, gguf.GGMLQuantizationType.MXFP4)
    np.testing.assert_array_equal(dequantize(from_mxfp4(blocks, scales, "ggml")), wanted)
    pairs = dequantize(from_mxfp4(blocks, scales, "hf"))
    np.testing.assert_array_equal(pairs[:, 0:32:2], wanted[:, 0:16])
    np.testing.assert_array_equal(pairs[:, 1:32:2], wanted[:, 16:32])


@pytest.mark.parametrize(
    ("w", "arguments", "complaint"),
    [
        (np.ones((2, 31), np.float32), ("int8",), "multiple of 32"),
        (np.ones(32, np.float32), ("int8",), "expected"),
        (np.ones((0, 32), np.float32), ("mxfp4",), "none of them 0"),
        (np.ones((2, 32), np.float32), ("int3",), "format='int3' is none of"),
        (np.ones((2, 32), np.float32), ("int8", 64), "groups of 32"),
        (np.ones((2, 32), np.float32), ("int4", None), "groups of 32"),
        (np.full((2, 32), np.nan, np.float32), ("int8",), "no numbers"),
        (np.full((2, 32), np.inf, np.float32), ("bf16",), "infinite"),
        (np.full((2, 32), 1e8, np.float32), ("int8",), "up to 1e.08, too large for the float16"),
        (np.full((2, 32), 1e6, np.float32), ("int4",), "too large"),
    ],
)
def test_refusals(w, arguments, complaint):
    with pytest.raises(ArgumentError, match=complaint):
        quantize(w, *arguments)


def test_scales_that_are_no_numbers():
    with pytest.raises(ArgumentError, match="255"):
        from_mxfp4(np.zeros((1, 1, 16), np.uint8), np.full((1, 1), 255, np.uint8))
