"""Texts in the blocks of pools."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as Items
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pyhades.errors import ArgumentError, CapacityError
from pyhades.llm.cache.addresses import Address
from pyhades.llm.cache.pool import FREED, Pool
from pyhades.llm.cache.prefixes import Prefixes
from pyhades.llm.cache.purposes import end
from pyhades.llm.cache.trails import Trail
from pyhades.llm.models.layers import CACHE_BLOCK

SLACK = CACHE_BLOCK
"""Tokens that may be dropped again after the window has moved on over them."""


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

    def needed(self, kind: str, pool: Pool, tokens: int) -> int:
        """Free blocks that :meth:`append` takes."""
        begun = self._begun_block(kind, pool) if tokens else None
        is_copied = begun is not None and pool.is_shared(self.blocks[kind][begun])
        return self._new_blocks(kind, tokens) + is_copied

    def append(self, kind: str, pool: Pool, tokens: int) -> NDArray[np.int32]:
        """The slots of that many more tokens, in blocks that nobody else writes.

        They are -1 for what is there already. The length stays for :meth:`Sequences.append` to set,
        once every kind of layer has its blocks.
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


class Sequences:
    """What is done with sequences.

    Attributes
    ----------
    pools
        Where their blocks come from, per kind of layer.
    prefixes
        What is kept of them; None where nothing is.
    context_length
        Most tokens of each.
    """

    pools: dict[str, Pool]
    prefixes: Prefixes | None
    context_length: int

    def sequence(self) -> Sequence:
        """An empty sequence."""
        return Sequence(0, {kind: [] for kind in self.pools})

    def begin(self, address: Address) -> Sequence:
        """A sequence that holds what was found of a text, and will be found by others."""
        assert self.prefixes is not None
        trail, blocks = self.prefixes.begin(address)
        return Sequence(trail.length, blocks, trail, address.place.known * CACHE_BLOCK)

    def needed(self, sequence: Sequence, tokens: int) -> dict[str, int]:
        """Free blocks that :meth:`append` takes, per kind of layer."""
        return {kind: sequence.needed(kind, pool, tokens) for kind, pool in self.pools.items()}

    def append(self, sequence: Sequence, tokens: int) -> Mapping[str, NDArray[np.int32]]:
        """Make room for ``tokens`` more tokens; their slots, int32 ``[tokens]``, per kind of layer.

        A slot of -1 stands for what is there already.

        Raises
        ------
        CapacityError
            The sequence would exceed the context, or no blocks are left. Nothing has changed then.
        """
        end = sequence.length + tokens
        if end > self.context_length:
            raise CapacityError(
                f"{end} tokens do not fit the context of {self.context_length}; "
                "open the model with a larger context_length"
            )
        for kind, count in self.needed(sequence, tokens).items():
            if self.pools[kind].free_blocks < count:
                raise CapacityError(f"the cache is full: no blocks left for {kind} layers")
        slots = {kind: sequence.append(kind, pool, tokens) for kind, pool in self.pools.items()}
        sequence.length = end
        return slots

    def follow(self, sequence: Sequence, tokens: Items[int]) -> None:
        """Take note of what was read into the blocks of the last :meth:`append`, and forget."""
        trail, prefixes = sequence.trail, self.prefixes
        if trail is not None and prefixes is not None:
            prefixes.counts.rederived += max(min(sequence.known, sequence.length) - trail.length, 0)
            trail.follow(prefixes, sequence.blocks, tokens)
        self.forget(sequence)

    def forget(self, sequence: Sequence) -> None:
        """Give back the blocks that no later token of ``sequence`` can see."""
        for kind, pool in self.pools.items():
            if pool.window:
                sequence.forget(kind, pool, SLACK)

    def fork(self, sequence: Sequence) -> Sequence:
        """Another sequence with the same text; also a checkpoint to go back to."""
        for kind, pool in self.pools.items():
            for block in sequence.blocks[kind]:
                pool.share(block)
        trail = None if sequence.trail is None else sequence.trail.copy()
        blocks = {kind: list(blocks) for kind, blocks in sequence.blocks.items()}
        return Sequence(sequence.length, blocks, trail, sequence.known)

    def truncate(self, sequence: Sequence, length: int) -> None:
        """Drop the tokens from ``length`` on; the last 16 that were read can always be dropped.

        Raises
        ------
        ArgumentError
            The window before ``length`` has been given back, or never was there: go back to a
            fork instead.
        """
        if not 0 <= length <= sequence.length:
            raise ArgumentError(f"length={length}: the sequence has {sequence.length} tokens")
        windows = {kind: pool.window for kind, pool in self.pools.items() if pool.window}
        if not sequence.may_end(length, windows):
            raise ArgumentError(
                f"the window before token {length} is no longer in the cache; "
                "fork the sequence where you may want to return to"
            )
        if sequence.is_read(length):  # other tokens may follow now
            sequence.known = min(sequence.known, length // CACHE_BLOCK * CACHE_BLOCK)
        for kind, pool in self.pools.items():
            sequence.cut(kind, pool, length)
        sequence.length = length
        if sequence.trail is not None:
            sequence.trail.back(length)

    def free(self, sequence: Sequence, *, is_open: bool | None = None) -> None:
        """Give back everything; the sequence is empty afterwards.

        What it has read is found by those who begin with the same text, until its room is needed.

        Parameters
        ----------
        is_open
            Whether the text is of a chain of calls that goes on, and stays longer therefore. None
            where it was broken off, and nobody knows.
        """
        if sequence.trail is not None and self.prefixes is not None:
            sequence.trail.save(self.prefixes, sequence.blocks)
            end(sequence.trail, self.prefixes, is_open)
        for kind, pool in self.pools.items():
            for block in reversed(sequence.blocks[kind]):  # so that what follows others goes first
                pool.release(block)
            sequence.blocks[kind].clear()
        sequence.length = sequence.known = 0
        sequence.trail = None
