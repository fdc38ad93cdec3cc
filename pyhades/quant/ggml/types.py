"""The types of ggml: what a block takes, and what it is decoded to."""

from __future__ import annotations

from dataclasses import dataclass

from pyhades.quant.formats import BLOCK, FormatName

SUPERBLOCK = 256
"""Weights of a block of K-quants, which has scales of its own for every 16 or 32 of them."""


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
        What :func:`~pyhades.quant.ggml.decode` makes of it: ``int8_g32``, ``int4_g32`` or ``mxfp4``
        where a scale of float16 or E8M0 per 32 weights makes their values, ``f32`` elsewhere.
    """

    name: str
    number: int
    block: int
    block_bytes: int
    format: FormatName

    @property
    def bits(self) -> float:
        """Per weight, scales included."""
        return 8 * self.block_bytes / self.block


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
        GgmlType("Q2_K", 10, SUPERBLOCK, 84, "f32"),
        GgmlType("Q3_K", 11, SUPERBLOCK, 110, "f32"),
        GgmlType("Q4_K", 12, SUPERBLOCK, 144, "f32"),
        GgmlType("Q5_K", 13, SUPERBLOCK, 176, "f32"),
        GgmlType("Q6_K", 14, SUPERBLOCK, 210, "f32"),
        GgmlType("IQ4_NL", 20, BLOCK, 18, "int8_g32"),
        GgmlType("IQ4_XS", 23, SUPERBLOCK, 136, "f32"),
        GgmlType("MXFP4", 39, BLOCK, 17, "mxfp4"),
    )
}
"""By number. 4 was Q4_2 once; files of early ollama hold MXFP4 there, with nibbles in pairs."""

TYPES_BY_NAME = {entry.name: entry for entry in TYPES.values()}

OTHER_NAMES = {
    **{5: "Q4_3", 9: "Q8_1", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S"},
    **{21: "IQ3_S", 22: "IQ2_S", 24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64"},
    **{29: "IQ1_M", 34: "TQ1_0", 35: "TQ2_0", 40: "NVFP4"},
}
"""Names of the types that are not read, for errors."""
