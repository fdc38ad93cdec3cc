"""The weight formats: what a block of 32 weights costs, stored and packed.

A weight matrix is ``[n, k]``: n outputs of k inputs each. Blocks are 32 consecutive inputs of one
output. Packed, 16 outputs are interleaved ("r16k32"): a tile holds 16 rows, block after block, so
that a SIMD lane is a row and every thread reads one sequential stream. All instruction sets read
the same layout. See docs/reference/packed_weights.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pyhades.arguments import one_of
from pyhades.errors import ArgumentError

BLOCK = 32
"""Inputs per block, the group that shares a scale."""
TILE = 16
"""Outputs per packed tile."""
LAYOUT = "r16k32"
"""Name of the packed layout; files carry it."""

FormatName = Literal["f32", "bf16", "int8_g32", "int8_row", "int4_g32", "mxfp4"]
"""Of the weight formats."""

RowOrder = Literal["plain", "gate_up"]
"""Of a packed matrix: as stored, or per 32 rows 16 gate rows and then their 16 up rows."""


@dataclass(frozen=True)
class Format:
    """One way of storing weights.

    Attributes
    ----------
    name
        As in ``quantize(w, name)``.
    block_bytes
        Of a packed block: 16 rows by 32 inputs, with their scales.
    tile_header_bytes
        In front of a tile (scales of whole rows).
    bits
        Per weight, scales included.
    """

    name: FormatName
    block_bytes: int
    tile_header_bytes: int
    bits: float

    def __post_init__(self) -> None:
        one_of("name", self.name, FormatName)

    def packed_bytes(self, n: int, k: int) -> int:
        """Bytes of one packed matrix; the last tile is filled up with rows of zeros."""
        if k % BLOCK:
            raise ArgumentError(f"k={k} is not a multiple of {BLOCK}; pad the inputs with zeros")
        tiles = -(-n // TILE)
        return tiles * (self.tile_header_bytes + k // BLOCK * self.block_bytes)


FORMATS: dict[str, Format] = {
    entry.name: entry
    for entry in (
        Format("f32", 2048, 0, 32.0),
        Format("bf16", 1024, 0, 16.0),
        Format("int8_g32", 544, 0, 8.5),
        Format("int8_row", 512, 64, 8.0),
        Format("int4_g32", 288, 0, 4.5),
        Format("mxfp4", 272, 0, 4.25),
    )
}
"""By name."""


def format_named(name: str) -> Format:
    """The format called ``name``; ArgumentError lists what exists.

    Examples
    --------
    >>> format_named("mxfp4").packed_bytes(16, 64)
    544
    """
    return FORMATS[one_of("format", name, FormatName)]
