"""Blocks of ggml against the codecs of the package ``gguf``."""

from __future__ import annotations

import gguf
import numpy as np
import pytest

from pyhades.quant.ggml import TYPES, TYPES_BY_NAME, decode
from tests.support.tiny_checkpoints import decode_mxfp4
from tests.support.tiny_gguf import HALVES

BLOCKS = [kind.name for kind in TYPES.values() if kind.block > 1 and kind.number != 4]


def floats(q) -> np.ndarray:
    """The values of a tensor, by the words of the documentation of QuantizedTensor."""
    if q.format == "f32":
        return q.values
    if q.format == "mxfp4":
        return decode_mxfp4(q.values.reshape(*q.scales.shape, 16), q.scales)
    values = q.values
    if q.format == "int4_g32":
        pairs = np.stack([values & 15, values >> 4], -1)
        values = pairs.reshape(q.shape).astype(np.int8) - 8
    groups = values.reshape(*q.scales.shape, 32).astype(np.float32)
    return (groups * q.scales.astype(np.float32)[..., None]).reshape(q.shape)


def scales_of(name: str) -> list[int]:
    """Where the float16 numbers of a block are."""
    if name in ("Q4_1", "Q5_1"):
        return [0, 2]
    return [at for at in HALVES.get(name, (0,)) if at is not None]


def random_blocks(kind, shape: tuple[int, ...]) -> np.ndarray:
    """Bytes of blocks whose scales, and minima, are finite, of either sign, or denormal."""
    random = np.random.default_rng(kind.number)
    blocks = random.integers(0, 256, (*shape, kind.block_bytes), np.uint8)
    if kind.name == "MXFP4":
        blocks[..., 0] = random.integers(0, 250, shape)
        return blocks
    for at in scales_of(kind.name):
        scales = random.standard_normal(shape) * 10.0 ** random.integers(-7, 3, shape)
        blocks[..., at : at + 2] = scales.astype(np.float16)[..., None].view(np.uint8)
    return blocks


@pytest.mark.parametrize("name", BLOCKS)
def test_blocks_decode_exactly(name):
    kind = TYPES_BY_NAME[name]
    data = random_blocks(kind, (3, 50, 4)).reshape(3, 50, -1)
    decoded = decode(data, kind)
    assert (decoded.format, decoded.shape) == (kind.format, (3, 50, 4 * kind.block))
    wanted = gguf.quants.dequantize(data, gguf.GGMLQuantizationType[name])
    np.testing.assert_array_equal(floats(decoded), wanted)


@pytest.mark.parametrize("name", BLOCKS)
def test_sizes_are_those_of_ggml(name):
    kind = TYPES_BY_NAME[name]
    number = gguf.GGMLQuantizationType[name]
    assert (kind.number, (kind.block, kind.block_bytes)) == (
        number,
        gguf.GGML_QUANT_SIZES[number],
    )


def test_all_codes_of_mxfp4():
    kind = TYPES_BY_NAME["MXFP4"]
    scales = np.arange(255, dtype=np.uint8)
    nibbles = np.arange(256, dtype=np.uint8).reshape(16, 16)
    data = np.empty((255, 16, 17), np.uint8)
    data[..., 0], data[..., 1:] = scales[:, None], nibbles
    with np.errstate(over="ignore"):
        wanted = gguf.quants.dequantize(data, gguf.GGMLQuantizationType.MXFP4)
        np.testing.assert_array_equal(floats(decode(data, kind)), wanted)


def test_nibbles_of_early_ollama_lie_in_pairs():
    data = np.zeros((1, 17), np.uint8)
    data[0, :2] = 127, 0x42  # the scale 1, then elements 0 and 1
    decoded = floats(decode(data, TYPES_BY_NAME["MXFP4_OLLAMA"]))
    assert decoded[0, :3].tolist() == [1.0, 2.0, 0.0]


@pytest.mark.parametrize("name", ["F32", "F16", "BF16"])
def test_plain_types(name):
    values = np.random.default_rng(0).standard_normal((4, 32)).astype(np.float32)
    data = gguf.quants.quantize(values, gguf.GGMLQuantizationType[name])
    decoded = decode(np.ascontiguousarray(data).view(np.uint8), TYPES_BY_NAME[name])
    wanted = gguf.quants.dequantize(data, gguf.GGMLQuantizationType[name])
    got = decoded.values
    if name == "BF16":
        got = (got.astype(np.uint32) << 16).view(np.float32)
    np.testing.assert_array_equal(got, wanted)
