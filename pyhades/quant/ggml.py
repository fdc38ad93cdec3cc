"""The block formats of ggml, which GGUF files store weights in, decoded to our own formats.

A row is a sequence of blocks. Those of 32 weights come out without any loss: as ``int8_g32``,
``int4_g32`` or ``mxfp4`` where a scale alone makes the weights, as ``f32`` where a minimum is
added. In a block of nibbles, byte j holds element j low and element j + 16 high.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyhades.quant.formats import BLOCK, FormatName
from pyhades.quant.tensor import QuantizedTensor

Bytes = NDArray[np.uint8]
Array = NDArray[Any]


@dataclass(frozen=True)
class GgmlType:
    """How ggml stores weights.

    Attributes
    ----------
    name
        In capitals, as in ``llama-quantize``.
    number
        In the file.
    block
        Weights per block.
    block_bytes
        Bytes per block.
    format
        What :func:`decode` makes of it.
    """

    name: str
    number: int
    block: int
    block_bytes: int
    format: FormatName


TYPES = {
    entry.number: entry
    for entry in (
        GgmlType("F32", 0, 1, 4, "f32"),
        GgmlType("F16", 1, 1, 2, "f32"),
        GgmlType("BF16", 30, 1, 2, "bf16"),
        GgmlType("Q4_0", 2, BLOCK, 18, "int4_g32"),
        GgmlType("Q4_1", 3, BLOCK, 20, "f32"),
        GgmlType("MXFP4_OLLAMA", 4, BLOCK, 17, "mxfp4"),
        GgmlType("Q5_0", 6, BLOCK, 22, "int8_g32"),
        GgmlType("Q5_1", 7, BLOCK, 24, "f32"),
        GgmlType("Q8_0", 8, BLOCK, 34, "int8_g32"),
        GgmlType("IQ4_NL", 20, BLOCK, 18, "int8_g32"),
        GgmlType("MXFP4", 39, BLOCK, 17, "mxfp4"),
    )
}
"""By number. 4 was Q4_2 once; files of early ollama hold MXFP4 there, with nibbles in pairs."""

TYPES_BY_NAME = {entry.name: entry for entry in TYPES.values()}

OTHER_NAMES = {
    **{5: "Q4_3", 9: "Q8_1", 10: "Q2_K", 11: "Q3_K", 12: "Q4_K", 13: "Q5_K", 14: "Q6_K"},
    **{15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 21: "IQ3_S"},
    **{22: "IQ2_S", 23: "IQ4_XS", 24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64"},
    **{29: "IQ1_M", 34: "TQ1_0", 35: "TQ2_0", 40: "NVFP4"},
}
"""Names of the types that are not read, for errors."""

_IQ4_NL = np.array(
    [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113], np.int8
)


def decode(data: Bytes, kind: GgmlType) -> QuantizedTensor:
    """Decode rows of blocks, without loss.

    Parameters
    ----------
    data
        uint8 ``[..., bytes of a row]``.
    kind
        One of :data:`pyhades.quant.ggml.TYPES`.

    Returns
    -------
    QuantizedTensor
        Of the format ``kind.format``, ``[..., k]``.

    Examples
    --------
    >>> row = np.zeros((1, 34), np.uint8)
    >>> row[0, :4] = 0, 0x3C, 1, 255  # the scale 1.0 in float16, then the weights
    >>> decode(row, TYPES_BY_NAME["Q8_0"]).values[0, :3]
    array([ 1, -1,  0], dtype=int8)
    """
    *rows, row_bytes = data.shape
    shape = (*rows, row_bytes // kind.block_bytes * kind.block)
    if kind.block == 1:
        return _plain(np.ascontiguousarray(data), kind, shape)
    blocks = data.reshape(*rows, row_bytes // kind.block_bytes, kind.block_bytes)
    decoder = _DECODERS[kind.name]
    values, scales = decoder(blocks)
    values = np.ascontiguousarray(values).reshape(*rows, -1)
    return QuantizedTensor(kind.format, shape, values, scales)


def _plain(data: Bytes, kind: GgmlType, shape: tuple[int, ...]) -> QuantizedTensor:
    if kind.name == "BF16":
        return QuantizedTensor("bf16", shape, data.view(np.uint16).reshape(shape))
    values = data.view(np.float16 if kind.name == "F16" else np.float32)
    return QuantizedTensor("f32", shape, values.astype(np.float32, copy=False).reshape(shape))


def _half(blocks: Bytes, at: int) -> Array:
    """The float16 at byte ``at`` of every block: ``[..., blocks]``."""
    return np.ascontiguousarray(blocks[..., at : at + 2]).view(np.float16)[..., 0]


def _nibbles(codes: Bytes) -> Bytes:
    """The 32 nibbles of 16 bytes in the order of their elements."""
    return np.concatenate([codes & np.uint8(15), codes >> np.uint8(4)], axis=-1)


def _pairs(codes: Bytes) -> Bytes:
    """16 bytes whose byte j holds the elements 2 j (low) and 2 j + 1."""
    elements = _nibbles(codes)
    return elements[..., 0::2] | elements[..., 1::2] << np.uint8(4)


def _fifth_bits(blocks: Bytes, at: int) -> Bytes:
    """Bit 4 of the 32 elements, which four bytes hold, as 0 or 16."""
    bits = np.unpackbits(blocks[..., at : at + 4], axis=-1, bitorder="little")
    return bits << np.uint8(4)


def _q4_0(blocks: Bytes) -> tuple[Array, Array]:
    return _pairs(blocks[..., 2:]), _half(blocks, 0)


def _q4_1(blocks: Bytes) -> tuple[Array, None]:
    return _affine(_nibbles(blocks[..., 4:]), blocks), None


def _q5_0(blocks: Bytes) -> tuple[Array, Array]:
    codes = _nibbles(blocks[..., 6:]) | _fifth_bits(blocks, 2)
    return codes.view(np.int8) - np.int8(16), _half(blocks, 0)


def _q5_1(blocks: Bytes) -> tuple[Array, None]:
    return _affine(_nibbles(blocks[..., 8:]) | _fifth_bits(blocks, 4), blocks), None


def _affine(codes: Bytes, blocks: Bytes) -> Array:
    scale, minimum = (_half(blocks, at).astype(np.float32)[..., None] for at in (0, 2))
    return codes * scale + minimum


def _q8_0(blocks: Bytes) -> tuple[Array, Array]:
    return blocks[..., 2:].view(np.int8), _half(blocks, 0)


def _iq4_nl(blocks: Bytes) -> tuple[Array, Array]:
    return _IQ4_NL[_nibbles(blocks[..., 2:])], _half(blocks, 0)


def _mxfp4(blocks: Bytes) -> tuple[Array, Array]:
    return _pairs(blocks[..., 1:]), np.ascontiguousarray(blocks[..., 0])


def _mxfp4_ollama(blocks: Bytes) -> tuple[Array, Array]:
    return blocks[..., 1:], np.ascontiguousarray(blocks[..., 0])


_DECODERS = {
    "Q4_0": _q4_0,
    "Q4_1": _q4_1,
    "Q5_0": _q5_0,
    "Q5_1": _q5_1,
    "Q8_0": _q8_0,
    "IQ4_NL": _iq4_nl,
    "MXFP4": _mxfp4,
    "MXFP4_OLLAMA": _mxfp4_ollama,
}
