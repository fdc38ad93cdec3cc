"""A text in the cache."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pyhades.llm.cache.pool import FREED, Pool
from pyhades.llm.cache.trail import Trail
from pyhades.llm.models.layers import CACHE_BLOCK


@dataclass
class Sequence:
    """A text in the cache: its length, and the blocks that hold it, per kind of layer.

    With a trail, others that begin with the same text find what it has read.

    Attributes
    ----------
    known
        Tokens whose keys and values stand in layers that see everything, even those from
        ``length`` on: they go through the model for lost windows, and nothing is written there.
    """

    length: int = 0
    blocks: dict[str, list[int]] = field(default_factory=dict)
    trail: Trail | None = None
    known: int = 0

    def begun_block(self, kind: str, *, is_whole: bool) -> int | None:
        """Index of the block that the next token is written into, if there is one already."""
        index, place = divmod(self.length, CACHE_BLOCK)
        is_written = not is_whole or self.length >= self.known
        return index if place and is_written and index < len(self.blocks[kind]) else None

    def needed(self, kind: str, pool: Pool, tokens: int) -> int:
        """Free blocks that :meth:`append` takes."""
        begun = self._begun_block(kind, pool) if tokens else None
        is_copied = begun is not None and pool.is_shared(self.blocks[kind][begun])
        return self._new_blocks(kind, tokens) + is_copied

    def append(self, kind: str, pool: Pool, tokens: int) -> NDArray[np.int32]:
        """The slots of that many more tokens, in blocks that nobody else writes; not their number.

        -1 for those that are there already.
        """
        positions = np.arange(self.length, self.length + tokens, dtype=np.int32)
        if not tokens:
            return positions
        blocks, begun = self.blocks[kind], self._begun_block(kind, pool)
        if begun is not None:
            blocks[begun] = pool.own(blocks[begun])
        taken = [pool.take() for _ in range(self._new_blocks(kind, tokens))]
        if taken and len(blocks) * CACHE_BLOCK < self.length:
            pool.of_blocks[:, taken[0]] = 0  # it begins with tokens that are not read again
        blocks.extend(taken)
        first = self.length // CACHE_BLOCK
        written = np.asarray(blocks[first:], np.int32)
        slots = written[positions // CACHE_BLOCK - first] * CACHE_BLOCK + positions % CACHE_BLOCK
        if not pool.window:
            slots[positions < self.known] = -1
        return slots

    def _begun_block(self, kind: str, pool: Pool) -> int | None:
        """Index of the block that the next token is written into, if there is one already."""
        index, place = divmod(self.length, CACHE_BLOCK)
        is_written = pool.window or self.length >= self.known
        return index if place and is_written and index < len(self.blocks[kind]) else None

    def _new_blocks(self, kind: str, tokens: int) -> int:
        return max(-(-(self.length + tokens) // CACHE_BLOCK) - len(self.blocks[kind]), 0)

    def is_read(self, length: int) -> bool:
        """Whether tokens from ``length`` on were read, and not only made room for."""
        return self.trail is not None and length < self.trail.length

    def may_end(self, length: int, windows: dict[str, int]) -> bool:
        """Whether the windows of so many tokens, per kind of layer, are there at ``length``."""
        if self.is_read(length):
            if self.trail is not None and length < self.trail.sound * CACHE_BLOCK:
                return False
        elif self.trail is not None:  # it stood there a moment ago
            return True
        end = -(-length // CACHE_BLOCK)
        return not any(
            FREED in self.blocks[kind][max(length + 1 - window, 0) // CACHE_BLOCK : end]
            for kind, window in windows.items()
        )

    def cut(self, kind: str, pool: Pool, length: int) -> None:
        """Give back the blocks from ``length`` on; what is known anyway stays."""
        if not pool.window:
            length = max(length, self.known)
        blocks, end = self.blocks[kind], -(-length // CACHE_BLOCK)
        for block in reversed(blocks[end:]):
            pool.release(block)
        del blocks[end:]

    def forget(self, kind: str, pool: Pool, slack: int) -> None:
        """Give back the blocks that no later token sees, with so many behind them to go back."""
        gone = max(self.length + 1 - pool.window - slack, 0) // CACHE_BLOCK
        blocks = self.blocks[kind]
        for index in range(gone - 1, -1, -1):
            if blocks[index] == FREED:
                break
            pool.release(blocks[index])
            blocks[index] = FREED
