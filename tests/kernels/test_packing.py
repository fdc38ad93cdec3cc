"""The packed layout, and the references of quantised kernels, which read it in NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from pyhades import kernels
from pyhades.errors import ArgumentError
from pyhades.kernels import reference
from pyhades.kernels.reference.packing import unpack_weight
from pyhades.quant import FORMATS, QuantizedTensor, dequantize, quantize, to_bf16
from tests.kernels.test_qgemm import QUANTISED, random


@pytest.mark.parametrize("row_order", ["plain", "gate_up"])
@pytest.mark.parametrize("shape", [(32, 64), (2, 64, 96)], ids=str)
@pytest.mark.parametrize("format", FORMATS)
def test_every_byte_is_where_numpy_puts_it(format, shape, row_order):
    q = quantize(random(0, *shape), format)
    packed = kernels.pack_weight(q, row_order)
    expected = reference.pack_weight(q, row_order)
    np.testing.assert_array_equal(packed.data, expected.data)
    back = unpack_weight(packed)
    np.testing.assert_array_equal(back.values, q.values)
    np.testing.assert_array_equal(dequantize(back), dequantize(q))


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("n", [1, 21])
def test_last_tile_is_filled_up_with_zeros(format, n):
    q = quantize(random(0, n, 64), format)
    packed = kernels.pack_weight(q)
    np.testing.assert_array_equal(packed.data, reference.pack_weight(q).data)
    filled = unpack_weight(type(packed)(packed.data, format, (-(-n // 16) * 16, 64)))
    assert not dequantize(filled)[n:].any()


def test_a_block_byte_by_byte():
    """Column c of row r of a nibble format has code (c + r) % 16: the tables of the page."""
    codes = (np.arange(32) + np.arange(16)[:, None]).astype(np.uint8) % 16
    values, scales = codes[:, ::2] | codes[:, 1::2] << 4, np.arange(120, 136, dtype=np.uint8)
    block = kernels.pack_weight(QuantizedTensor("mxfp4", (16, 32), values, scales[:, None])).data
    np.testing.assert_array_equal(block[:16], scales)
    for vector, row, byte in np.ndindex(4, 16, 4):
        both = block[16 + 64 * vector + 4 * row + byte]
        assert (both & 15, both >> 4) == (
            codes[row, 4 * vector + byte], codes[row, 16 + 4 * vector + byte],
        )  # fmt: skip


def test_scales_of_mxfp4_are_clamped():
    values, scales = np.full((2, 16), 0x22, np.uint8), np.array([[0], [254]], np.uint8)
    packed = kernels.pack_weight(QuantizedTensor("mxfp4", (2, 32), values, scales))
    np.testing.assert_array_equal(unpack_weight(packed).scales, [[27], [227]])


def test_packs_into_memory_that_is_given():
    q = quantize(random(0, 16, 64), "int8")
    memory = np.zeros(1088 + 128, np.uint8)
    begin = -memory.ctypes.data % 64
    packed = kernels.pack_weight(q, out=memory[begin : begin + 1088])
    np.testing.assert_array_equal(packed.data, reference.pack_weight(q).data)
    assert packed.data.base is memory
    with pytest.raises(ArgumentError, match="boundary of 64 bytes"):
        kernels.pack_weight(q, out=memory[begin + 1 : begin + 1089])
    with pytest.raises(ArgumentError, match="packed must be uint8"):
        kernels.pack_weight(q, out=memory[begin : begin + 64])
    with pytest.raises(ArgumentError, match="multiple of 32 rows"):
        kernels.pack_weight(q, "gate_up")


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("compute", ["int8", "bf16"])
def test_products_are_those_of_the_reference(format, compute):
    a, weight = random(1, 5, 96), kernels.pack_weight(quantize(random(0, 33, 96), format))
    options = {"bias": random(2, 33), "activation": "silu", "residual": random(3, 5, 33)}
    actual = kernels.qgemm(a, weight, **options, compute=compute)
    expected = reference.qgemm(a, weight, **options, compute=compute)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=96 * 2.0**-22)
    if format in QUANTISED:
        rows = kernels.quantize_rows(a)
        np.testing.assert_array_equal(rows, reference.quantize_rows(a))
        one = kernels.qgemm_int8(rows, weight, **options)
        two = reference.qgemm_int8(rows, weight, **options)
        np.testing.assert_allclose(one, two, rtol=0, atol=96 * 2.0**-22)


def test_norm_then_quantise_is_that_of_the_reference():
    x, weight = random(0, 3, 64), random(1, 64)
    actual = kernels.rms_norm_quantize(x, weight, compute="bf16")
    expected = reference.rms_norm_quantize(x, weight, compute="bf16")
    apart = np.abs(actual.astype(np.int32) - expected.astype(np.int32))
    assert apart.max() <= 1 and apart.mean() < 0.05  # an ulp of float32 before rounding


@pytest.mark.parametrize("compute", ["int8", "bf16"])
def test_experts_are_those_of_the_reference(compute):
    gate_up = kernels.pack_weight(quantize(random(1, 3, 64, 32) / 4, "mxfp4"), "gate_up")
    down = kernels.pack_weight(quantize(random(2, 3, 32, 32) / 4, "int8"))
    a, residual = random(3, 4, 32), random(4, 4, 32)
    ids, weights = kernels.top_k(random(5, 4, 3), 2)
    for each, expected in zip((ids, weights), reference.top_k(random(5, 4, 3), 2), strict=True):
        np.testing.assert_allclose(each, expected, rtol=1e-6)
    operands = (gate_up, random(6, 3, 64), down, random(7, 3, 32))
    options = {"residual": residual, "limit": 1.5, "compute": compute}
    actual = kernels.moe(a, ids, weights, *operands, **options)
    expected = reference.moe(a, ids, weights, *operands, **options)
    error = np.abs(actual - expected)
    assert error.max() <= (0.02 if compute == "int8" else 1e-5)
    assert error.mean() <= (5e-4 if compute == "int8" else 2e-6)


def test_embedding_is_that_of_the_reference():
    table, tokens = random(0, 9, 64), np.int32([8, 0, 8])
    q = quantize(table, "int8")
    for stored in ((to_bf16(table),), (q.values, q.scales)):
        expected = reference.embed(tokens, *stored)
        np.testing.assert_array_equal(kernels.embed(tokens, *stored), expected)


@pytest.mark.parametrize("format", FORMATS)
def test_float_sums_are_equal_in_every_tier(format):
    a, weight = (
        to_bf16(random(0, 6, 608)),
        kernels.pack_weight(quantize(random(1, 37, 608), format)),
    )
    expected = kernels.qgemm(a, weight, isa="scalar")
    for tier in kernels.supported_tiers():
        np.testing.assert_array_equal(kernels.qgemm(a, weight, isa=tier), expected)
