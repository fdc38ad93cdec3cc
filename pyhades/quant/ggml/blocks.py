"""Blocks of 32 weights with one scale, and in some types one minimum.

In a block of nibbles, byte j holds element j low and element j + 16 high.
"""

from __future__ import annotations

import numpy as np

from pyhades.quant.ggml.elements import IQ4_VALUES, Array, Bytes, half, halves_of_bytes


def _pairs(codes: Bytes) -> Bytes:
    """16 bytes whose byte j holds the elements 2 j (low) and 2 j + 1."""
    elements = halves_of_bytes(codes)
    return elements[..., 0::2] | elements[..., 1::2] << np.uint8(4)


def _fifth_bits(blocks: Bytes, at: int) -> Bytes:
    """Bit 4 of the 32 elements, which four bytes hold, as 0 or 16."""
    bits = np.unpackbits(blocks[..., at : at + 4], axis=-1, bitorder="little")
    return bits << np.uint8(4)


def _q4_0(blocks: Bytes) -> tuple[Array, Array]:
    return _pairs(blocks[..., 2:]), half(blocks, 0)


def _q4_1(blocks: Bytes) -> tuple[Array, None]:
    return _affine(halves_of_bytes(blocks[..., 4:]), blocks), None


def _q5_0(blocks: Bytes) -> tuple[Array, Array]:
    codes = halves_of_bytes(blocks[..., 6:]) | _fifth_bits(blocks, 2)
    return codes.view(np.int8) - np.int8(16), half(blocks, 0)


def _q5_1(blocks: Bytes) -> tuple[Array, None]:
    return _affine(halves_of_bytes(blocks[..., 8:]) | _fifth_bits(blocks, 4), blocks), None


def _affine(codes: Bytes, blocks: Bytes) -> Array:
    scale, minimum = (half(blocks, at).astype(np.float32)[..., None] for at in (0, 2))
    return codes * scale + minimum


def _q8_0(blocks: Bytes) -> tuple[Array, Array]:
    return blocks[..., 2:].view(np.int8), half(blocks, 0)


def _iq4_nl(blocks: Bytes) -> tuple[Array, Array]:
    return IQ4_VALUES[halves_of_bytes(blocks[..., 2:])], half(blocks, 0)


def _mxfp4(blocks: Bytes) -> tuple[Array, Array]:
    return _pairs(blocks[..., 1:]), np.ascontiguousarray(blocks[..., 0])


def _mxfp4_ollama(blocks: Bytes) -> tuple[Array, Array]:
    return blocks[..., 1:], np.ascontiguousarray(blocks[..., 0])


DECODERS = {
    "Q4_0": _q4_0,
    "Q4_1": _q4_1,
    "Q5_0": _q5_0,
    "Q5_1": _q5_1,
    "Q8_0": _q8_0,
    "IQ4_NL": _iq4_nl,
    "MXFP4": _mxfp4,
    "MXFP4_OLLAMA": _mxfp4_ollama,
}
"""By name: blocks ``[..., bytes]`` to values, and their scales where they have any."""
