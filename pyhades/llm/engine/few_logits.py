"""Logits of the tokens that a grammar allows, where those are few."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pyhades.compiler.view import Array
from pyhades.llm.engine.token_filter import Words
from pyhades.llm.models.head import Head
from pyhades.quant import TILE


class FewLogits:
    """Chooses which tiles of the output matrix a step multiplies, and puts results in their places.

    Parameters
    ----------
    head
        The matrix.
    feeds
        What is bound to steps.
    """

    def __init__(self, head: Head, feeds: Mapping[str, Array]) -> None:
        self._head = head
        self._feeds = feeds
        self._rows = 0
        self._part: int | None = None
        self._tiles: NDArray[np.intp] = np.zeros(0, np.intp)
        self._copied: dict[int, NDArray[np.intp]] = {}
        self.steps = 0
        """Steps that have read a part of the matrix only."""

    def prepare(self, rows: int, allowed: Words | None) -> None:
        """Say what a step is to multiply.

        Parameters
        ----------
        rows
            How many rows of logits are wanted.
        allowed
            A bit per token whose logits are wanted, as in a
            :class:`pyhades.llm.engine.token_filter.TokenFilter`; None for all.
        """
        self._part = self._choose(allowed)
        self._rows = rows
        counts = self._feeds["head.rows"]
        counts[:] = 0
        counts[0 if self._part is None else 1 + self._head.parts.index(self._part)] = rows

    def place(self) -> None:
        """Put what was multiplied where it belongs; logits of other tokens mean nothing."""
        if self._part is None:
            return
        self.steps += 1
        logits = self._feeds["logits"]
        columns = (self._tiles[:, None] * TILE + np.arange(TILE)).reshape(-1)
        columns = columns[columns < logits.shape[1]]  # the last tile may have rows of zeros
        few = self._feeds[f"head.logits.{self._part}"]
        logits[: self._rows, columns] = few[: self._rows, : columns.size]

    def _choose(self, allowed: Words | None) -> int | None:
        """How many tiles are multiplied, after those that are wanted have been put together."""
        if allowed is None:
            return None
        tiles = np.flatnonzero(np.ascontiguousarray(allowed, "<u4").view("<u2"))
        part = next((part for part in self._head.parts if part >= tiles.size), None)
        if part is not None:
            self._tiles = tiles
            copied = self._copied.get(part)
            if copied is None or not np.array_equal(copied, tiles):
                memory = self._feeds[f"head.tiles.{part}"].reshape(part, -1)
                np.take(self._head.tiles, tiles, axis=0, out=memory[: tiles.size])
                self._copied[part] = tiles
        return part
