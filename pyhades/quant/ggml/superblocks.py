"""K-quants: blocks of 256 weights, with a small integer scale for every 16 or 32 of them.

A group's weights are ``scale * code - minimum``, where scale and minimum are integers of 4 to 8
bits times float16 numbers of the whole block; types without minima have signed codes. The product
of a float16 and such an integer has up to 19 bits, so the float16 scales of our own formats do not
hold it, and the weights come out as float32: to the last bit those that ggml computes with.

Codes of 32 consecutive weights lie in the same bits of 32 consecutive bytes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pyhades.quant.ggml.elements import (
    IQ4_VALUES,
    Array,
    Bytes,
    fields,
    half,
    halves_of_bytes,
)
from pyhades.quant.ggml.types import SUPERBLOCK

Floats = NDArray[np.float32]


def _q2_k(blocks: Bytes) -> Floats:
    both = blocks[..., :16]  # scale in the low half, minimum in the high half
    codes = _codes(blocks[..., 16:80], 2)
    return _weights(codes, blocks, 80, both & 15) - _minima(blocks, 82, both >> 4)


def _q3_k(blocks: Bytes) -> Floats:
    """The third bit of a code, stored inverted, stands for -4."""
    high = fields(blocks[..., :32], 1)
    codes = _codes(blocks[..., 32:96], 2).reshape(high.shape).view(np.int8)
    codes = codes - np.int8(4) + (high.view(np.int8) << 2)
    return _weights(codes, blocks, 108, _scales_of_six_bits(blocks[..., 96:108]) - np.int8(32))


def _q4_k(blocks: Bytes) -> Floats:
    scales, minima = _scales_and_minima(blocks[..., 4:16])
    codes = _codes(blocks[..., 16:], 4)
    return _weights(codes, blocks, 0, scales) - _minima(blocks, 2, minima)


def _q5_k(blocks: Bytes) -> Floats:
    scales, minima = _scales_and_minima(blocks[..., 4:16])
    high = fields(blocks[..., 16:48], 1)
    codes = _codes(blocks[..., 48:], 4).reshape(high.shape) | high << np.uint8(4)
    return _weights(codes, blocks, 0, scales) - _minima(blocks, 2, minima)


def _q6_k(blocks: Bytes) -> Floats:
    low = fields(blocks[..., :128].reshape(*blocks.shape[:-1], 2, 64), 4)
    high = _codes(blocks[..., 128:192], 2).reshape(low.shape)
    codes = (low | high << np.uint8(4)).view(np.int8) - np.int8(32)
    return _weights(codes, blocks, 208, blocks[..., 192:208].view(np.int8))


def _iq4_xs(blocks: Bytes) -> Floats:
    low = fields(blocks[..., 4:8], 4).swapaxes(-1, -2).reshape(*blocks.shape[:-1], 8)
    high = fields(blocks[..., 2:4], 2).swapaxes(-1, -2).reshape(low.shape)
    scales = (low | high << np.uint8(4)).view(np.int8) - np.int8(32)
    codes = halves_of_bytes(blocks[..., 8:].reshape(*blocks.shape[:-1], 8, 16))
    return _weights(IQ4_VALUES[codes], blocks, 0, scales)


def _codes(packed: Bytes, bits: int) -> Bytes:
    """Codes whose fields of ``bits`` lie in 32 bytes at a time, in the order of the weights."""
    return fields(packed.reshape(*packed.shape[:-1], -1, 32), bits)


def _weights(codes: Array, blocks: Bytes, at: int, scales: Array) -> Floats:
    """Codes times the scales of their groups ``[..., groups]``: ``[..., groups, size]``."""
    factors = half(blocks, at).astype(np.float32)[..., None] * scales.astype(np.float32)
    groups = codes.reshape(*scales.shape, SUPERBLOCK // scales.shape[-1])
    return factors[..., None] * groups.astype(np.float32)


def _minima(blocks: Bytes, at: int, minima: Array) -> Floats:
    """``[..., groups, 1]``."""
    factor = half(blocks, at).astype(np.float32)[..., None]
    return (factor * minima.astype(np.float32))[..., None]


def _scales_and_minima(packed: Bytes) -> tuple[Bytes, Bytes]:
    """Eight scales and eight minima of 6 bits in 12 bytes.

    The first four of each are the low bits of bytes 0 to 7, whose upper two bits are those of the
    last four; the lower four bits of these lie in bytes 8 to 11.
    """
    first, last = packed[..., :8], packed[..., 8:]
    upper = (first >> np.uint8(6)) << np.uint8(4)
    low, top = first & np.uint8(63), last >> np.uint8(4)
    scales = np.concatenate([low[..., :4], upper[..., :4] | last & np.uint8(15)], axis=-1)
    minima = np.concatenate([low[..., 4:], upper[..., 4:] | top], axis=-1)
    return scales, minima


def _scales_of_six_bits(packed: Bytes) -> NDArray[np.int8]:
    """Sixteen integers in 12 bytes: nibbles in the first 8, the upper two bits in the last 4."""
    upper = fields(packed[..., 8:], 2).reshape(*packed.shape[:-1], 16)
    return (halves_of_bytes(packed[..., :8]) | upper << np.uint8(4)).view(np.int8)


DECODERS = {
    "Q2_K": _q2_k,
    "Q3_K": _q3_k,
    "Q4_K": _q4_k,
    "Q5_K": _q5_k,
    "Q6_K": _q6_k,
    "IQ4_XS": _iq4_xs,
}
"""By name: blocks ``[..., bytes]`` to weights ``[..., groups, size]``."""
