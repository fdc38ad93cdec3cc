"""The KV cache: blocks of 16 tokens, shared between sequences, one pool per kind of layer.

Layers with a sliding window have a pool of their own, whose blocks are given back once no later
token can see them. Users of blocks are counted: a fork shares every full block, and copies the last
one. What was read is kept after its sequence has gone, as long as nobody needs the room: see
:mod:`pyhades.llm.cache.prefixes`.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as Items
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pyhades.arguments import one_of
from pyhades.errors import ArgumentError, CapacityError
from pyhades.kernels.paged_attention import KvFormat
from pyhades.llm.cache.addresses import Address
from pyhades.llm.cache.pool import FREED, Pool
from pyhades.llm.cache.prefixes import CHECKPOINT_TOKENS, Prefixes, Trail
from pyhades.llm.cache.resuming import reach_of, sees_everything
from pyhades.llm.cache.sizes import cached_bytes_per_token
from pyhades.llm.models.config import ModelConfig
from pyhades.llm.models.layers import CACHE_BLOCK
from pyhades.llm.text.outputs import CacheInfo

SLACK = CACHE_BLOCK
"""Tokens that may be dropped again after the window has moved on over them."""
FEWEST_CHECKPOINTS = 4
"""Windows that can be kept, however small the cache is."""


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


class KvCache:
    """Keys and values of every sequence that is being worked on.

    Parameters
    ----------
    config
        The model.
    context_length
        Most tokens of a sequence.
    sequences
        Most sequences at a time.
    step_tokens
        Most tokens of one step: what a sliding window has to keep besides itself.
    kv_format
        ``"bf16"`` or ``"int8"``.
    tokens
        For how many tokens there is room altogether, at least one whole context; by default for all
        sequences at full length.
    prefixes
        Whether to keep what was read, for those who begin with the same text. It needs a layer that
        sees everything.

    Attributes
    ----------
    prefixes
        What is kept; None where nothing is.

    Examples
    --------
    >>> from pyhades.llm.cache.kv_cache import KvCache
    >>> from pyhades.llm.models.gpt_oss.sizes import tiny_config
    >>> cache = KvCache(tiny_config(), context_length=64, sequences=1, step_tokens=32)
    >>> text = cache.sequence()
    >>> cache.append(text, 20)["full_attention"].size
    20
    """

    def __init__(
        self,
        config: ModelConfig,
        context_length: int,
        sequences: int,
        step_tokens: int,
        kv_format: KvFormat = "bf16",
        tokens: int | None = None,
        prefixes: bool = True,
    ) -> None:
        one_of("kv_format", kv_format, KvFormat)
        self.context_length = context_length
        whole = context_length * sequences
        self.tokens = whole if tokens is None else min(max(tokens, context_length), whole)
        self.kv_format = kv_format
        self.pools: dict[str, Pool] = {}
        keeps_windows = prefixes and any(map(sees_everything, config.layer_types))
        block_bytes = CACHE_BLOCK * cached_bytes_per_token(config, kv_format)
        for kind in dict.fromkeys(config.layer_types):
            window = 0 if sees_everything(kind) else config.sliding_window
            blocks = self._blocks_of_pool(window, sequences, step_tokens)
            if window and keeps_windows:
                blocks += self._checkpoints * -(-window // CACHE_BLOCK)
            layers = config.layer_types.count(kind)
            self.pools[kind] = Pool(layers, blocks, block_bytes, window)
        self.prefixes: Prefixes | None = None
        if keeps_windows:
            facts = {"model": repr(config), "keys and values": kv_format}
            facts["block"] = str(CACHE_BLOCK)
            self.prefixes = Prefixes(self.pools, facts, reach_of(config))

    def _blocks_of_pool(self, window: int, sequences: int, step_tokens: int) -> int:
        """Blocks for all tokens, and a begun one per sequence; of windows, one at either end."""
        if not window:
            return -(-self.tokens // CACHE_BLOCK) + sequences
        kept = min(2 + -(-(window + SLACK) // CACHE_BLOCK), self.blocks_per_sequence)
        return sequences * kept + -(-step_tokens // CACHE_BLOCK)

    @property
    def _checkpoints(self) -> int:
        """Windows that there is room for besides those of sequences."""
        return FEWEST_CHECKPOINTS + self.tokens // CHECKPOINT_TOKENS

    @property
    def blocks_per_sequence(self) -> int:
        """Entries in a row of a block table."""
        return -(-self.context_length // CACHE_BLOCK)

    def sequence(self) -> Sequence:
        """An empty sequence."""
        return Sequence(0, {kind: [] for kind in self.pools})

    def address(self, tokens: Items[int], client: str = "") -> Address | None:
        """By what a text is looked up among those that were read; None where they are not kept."""
        return None if self.prefixes is None else self.prefixes.address(tokens, client)

    def begin(self, address: Address) -> Sequence:
        """A sequence that holds what was found of a text, and will be found by others."""
        assert self.prefixes is not None
        trail, blocks = self.prefixes.begin(address)
        return Sequence(trail.length, blocks, trail, address.place.known * CACHE_BLOCK)

    def needed(self, sequence: Sequence, tokens: int) -> dict[str, int]:
        """Free blocks that :meth:`append` takes, per kind of layer."""
        needed = {}
        for kind, pool in self.pools.items():
            needed[kind] = _new_blocks(sequence, kind, tokens)
            begun = sequence.begun_block(kind, is_whole=not pool.window) if tokens else None
            if begun is not None and pool.is_shared(sequence.blocks[kind][begun]):
                needed[kind] += 1
        return needed

    def needed_to_begin(self, tokens: int, address: Address | None) -> dict[str, int]:
        """Free blocks that a text of so many tokens takes, where it begins with what was found."""
        if address is None or self.prefixes is None:
            return dict.fromkeys(self.pools, -(-tokens // CACHE_BLOCK))
        idle = self.prefixes.idle_blocks(address)
        more = -(-tokens // CACHE_BLOCK) - address.place.known
        return {kind: more + idle[kind] for kind in idle}

    @property
    def free_blocks(self) -> dict[str, int]:
        """Blocks that no sequence holds, per kind of layer: free ones, and those kept for later."""
        return {kind: pool.free_blocks for kind, pool in self.pools.items()}

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
        slots = {
            kind: self._append_to(kind, sequence, np.arange(sequence.length, end, dtype=np.int32))
            for kind in self.pools
        }
        sequence.length = end
        return slots

    def _append_to(
        self, kind: str, sequence: Sequence, positions: NDArray[np.int32]
    ) -> NDArray[np.int32]:
        """The slots of tokens at ``positions``, behind all others, in blocks of their own."""
        pool, blocks = self.pools[kind], sequence.blocks[kind]
        if not positions.size:
            return positions
        begun = sequence.begun_block(kind, is_whole=not pool.window)
        if begun is not None:
            blocks[begun] = pool.own(blocks[begun])
        taken = [pool.take() for _ in range(_new_blocks(sequence, kind, positions.size))]
        if taken and len(blocks) * CACHE_BLOCK < sequence.length:
            pool.of_blocks[:, taken[0]] = 0  # it begins with tokens that are not read again
        blocks.extend(taken)
        first = sequence.length // CACHE_BLOCK
        written = np.asarray(blocks[first:], np.int32)
        slots = written[positions // CACHE_BLOCK - first] * CACHE_BLOCK + positions % CACHE_BLOCK
        if not pool.window:
            slots[positions < sequence.known] = -1
        return slots

    def follow(self, sequence: Sequence, tokens: Items[int]) -> None:
        """Take note of what was read into the blocks of the last :meth:`append`, and forget."""
        trail, prefixes = sequence.trail, self.prefixes
        if trail is not None and prefixes is not None:
            prefixes.counts.rederived += max(min(sequence.known, sequence.length) - trail.length, 0)
            prefixes.follow(trail, sequence.blocks, tokens)
        self.forget(sequence)

    def forget(self, sequence: Sequence) -> None:
        """Give back the blocks that no later token of ``sequence`` can see."""
        for kind, pool in self.pools.items():
            if pool.window:
                gone = max(sequence.length + 1 - pool.window - SLACK, 0) // CACHE_BLOCK
                blocks = sequence.blocks[kind]
                for index in range(gone - 1, -1, -1):
                    if blocks[index] == FREED:
                        break
                    pool.release(blocks[index])
                    blocks[index] = FREED

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
        kept, trail = -(-length // CACHE_BLOCK), sequence.trail
        is_read = trail is not None and length < trail.length
        if not self._has_windows(sequence, length, kept, is_read=is_read):
            raise ArgumentError(
                f"the window before token {length} is no longer in the cache; "
                "fork the sequence where you may want to return to"
            )
        if is_read:  # other tokens may follow now
            sequence.known = min(sequence.known, length // CACHE_BLOCK * CACHE_BLOCK)
        for kind, pool in self.pools.items():
            blocks, end = sequence.blocks[kind], kept
            if not pool.window:
                end = max(kept, sequence.known // CACHE_BLOCK)
            for block in reversed(blocks[end:]):
                pool.release(block)
            del blocks[end:]
        sequence.length = length
        if trail is not None and self.prefixes is not None:
            self.prefixes.back(trail, length)

    def _has_windows(self, sequence: Sequence, length: int, kept: int, *, is_read: bool) -> bool:
        """Whether a sequence can go on at ``length``, in any way or with the same tokens only."""
        if is_read and sequence.trail and length < sequence.trail.sound * CACHE_BLOCK:
            return False
        if not is_read and sequence.trail:  # it stood there a moment ago
            return True
        windows = [(kind, pool.window) for kind, pool in self.pools.items() if pool.window]
        return not any(
            FREED in sequence.blocks[kind][max(length + 1 - window, 0) // CACHE_BLOCK : kept]
            for kind, window in windows
        )

    def free(self, sequence: Sequence) -> None:
        """Give back everything; the sequence is empty afterwards.

        What it has read is found by those who begin with the same text, until its room is needed.
        """
        if sequence.trail is not None and self.prefixes is not None:
            self.prefixes.save(sequence.trail, sequence.blocks)
        for kind, pool in self.pools.items():
            for block in reversed(sequence.blocks[kind]):  # so that what follows others goes first
                pool.release(block)
            sequence.blocks[kind].clear()
        sequence.length = sequence.known = 0
        sequence.trail = None

    def reset(self) -> None:
        """Take every block back; sequences that held some must not be used again."""
        for pool in self.pools.values():
            pool.reset()
        if self.prefixes is not None:
            self.prefixes.reset()

    def info(self) -> CacheInfo:
        """What is kept, and what it has saved; callers may look while the engine works."""
        prefixes = self.prefixes
        if prefixes is None:
            return CacheInfo(0, 0, 0, 0, 0, 0)
        counts, evicted = prefixes.counts, prefixes.counts.evicted * CACHE_BLOCK
        kept, checkpoints = len(prefixes) * CACHE_BLOCK, prefixes.checkpoints
        return CacheInfo(
            counts.asked, counts.found, kept, self.tokens, checkpoints, evicted, counts.rederived
        )

    def close(self) -> None:
        """Free the memory."""
        for pool in self.pools.values():
            pool.reclaim = None  # which holds what holds the pool
        self.pools.clear()
        self.prefixes = None

    def __repr__(self) -> str:
        size = sum(pool.memory.nbytes for pool in self.pools.values())
        return f"KvCache({self.tokens} tokens, {self.kv_format}, up to {size / 1e6:.0f} MB)"


def _new_blocks(sequence: Sequence, kind: str, tokens: int) -> int:
    return max(-(-(sequence.length + tokens) // CACHE_BLOCK) - len(sequence.blocks[kind]), 0)
