"""Logits of a few tokens: the output matrix multiplied by parts.

Where a grammar allows few tokens, the other rows of the output matrix, which is the largest of a
model, need not be read. Its rows lie in tiles of 16: those with a row that is wanted are put
together, and multiplied as a matrix of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pyhades.compiler.view import Array
from pyhades.llm.models.weights import Linear
from pyhades.quant import TILE, format_named

SHARES = (256, 32)
"""Of the matrix, that the products with a part of it take.

Tiles are put together by one thread: from a sixteenth on, that takes as long as the whole product.
"""


@dataclass(frozen=True)
class Head:
    """The output matrix of a step, and which parts of it can be multiplied instead.

    Attributes
    ----------
    tiles
        uint8 ``[tiles, bytes per tile]``.
    parts
        How many tiles products with a part of them take, ascending.
    """

    tiles: Array
    parts: tuple[int, ...]

    @classmethod
    def of(cls, linear: Linear) -> Head:
        """Of a matrix; with a bias, none of its parts can be multiplied."""
        k = linear.weight.shape[1]
        tile_bytes = format_named(linear.weight.format).packed_bytes(TILE, k)
        tiles = linear.weight.data.reshape(-1, tile_bytes)
        parts = {max(len(tiles) // share, 1) for share in SHARES}
        is_worth_it = linear.bias is None and len(tiles) > 1
        return cls(tiles, tuple(sorted(parts)) if is_worth_it else ())

    def bindings(self, rows: int) -> dict[str, Array]:
        """Buffers that are bound to a step, beside the logits, for so many rows of them.

        ``head.rows`` are int32: the rows to multiply with the whole matrix, then with each part.
        Pages of tiles appear when they are first used.
        """
        buffers: dict[str, Array] = {"head.rows": np.zeros(1 + len(self.parts), np.int32)}
        for part in self.parts:
            buffers[f"head.tiles.{part}"] = np.zeros(part * self.tiles.shape[1], np.uint8)
            buffers[f"head.logits.{part}"] = np.zeros((rows, part * TILE), np.float32)
        return buffers
