"""The KV cache: blocks of 16 tokens, shared between sequences, one pool per kind of layer.

Layers with a sliding window have a pool of their own, whose blocks are given back once no later
token can see them. Blocks are counted: a fork shares every full block, and copies the last one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pyhades.arguments import check_count, one_of
from pyhades.config import memory_bytes
from pyhades.errors import ArgumentError, CapacityError
from pyhades.kernels.paged_attention import KvFormat
from pyhades.llm.models.config import ModelConfig
from pyhades.llm.models.layers import CACHE_BLOCK

FREED = -1
"""Stands in a block table for a block that has left the window."""

SLACK = CACHE_BLOCK
"""Tokens that may be dropped again after the window has moved on over them."""
SHARE_OF_MEMORY = 0.25
"""Of the machine's memory, that keys and values may take unless told otherwise."""
_BYTES_PER_VALUE = {"bf16": 2, "int8": 1}
_BYTES_PER_SCALE = {"bf16": 0, "int8": 4}
"""One per key and per value of a head."""


@dataclass
class Sequence:
    """A text in the cache: its length, and the blocks that hold it, per kind of layer."""

    length: int = 0
    blocks: dict[str, list[int]] = field(default_factory=dict)


class Pool:
    """The blocks of one kind of layer.

    Attributes
    ----------
    memory
        uint8 ``[layers, bytes per layer]``; pages appear when they are first written.
    window
        How many tokens a query sees, itself included; 0 for all.
    """

    def __init__(self, layers: int, blocks: int, block_bytes: int, window: int) -> None:
        self.memory: NDArray[np.uint8] = np.zeros((layers, blocks * block_bytes), np.uint8)
        self.window = window
        self.blocks = blocks
        self.block_bytes = block_bytes
        self.reset()

    def reset(self) -> None:
        """Take every block back."""
        self._users = np.zeros(self.blocks, np.int32)
        self._free = list(range(self.blocks - 1, -1, -1))

    @property
    def free_blocks(self) -> int:
        """Blocks that nobody holds."""
        return len(self._free)

    def is_shared(self, block: int) -> bool:
        """Whether several sequences hold ``block``, so that it is copied before it is written."""
        return bool(self._users[block] > 1)

    def take(self) -> int:
        """A block with one user."""
        block = self._free.pop()
        self._users[block] = 1
        return block

    def share(self, block: int) -> None:
        """Count one more user of ``block``."""
        if block != FREED:
            self._users[block] += 1

    def release(self, block: int) -> None:
        """Count one user less; without any, the block is free."""
        if block == FREED:
            return
        self._users[block] -= 1
        if self._users[block] == 0:
            self._free.append(block)

    def own(self, block: int) -> int:
        """``block`` if it has one user, else a copy of it."""
        if self._users[block] == 1:
            return block
        copy = self.take()
        of_layers = self.memory.reshape(len(self.memory), self.blocks, self.block_bytes)
        of_layers[:, copy] = of_layers[:, block]
        self.release(block)
        return copy


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

    Examples
    --------
    >>> from pyhades.llm.engine.kv_cache import KvCache
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
    ) -> None:
        one_of("kv_format", kv_format, KvFormat)
        self.context_length = context_length
        whole = context_length * sequences
        self.tokens = whole if tokens is None else min(max(tokens, context_length), whole)
        self.kv_format = kv_format
        self.pools: dict[str, Pool] = {}
        block_bytes = CACHE_BLOCK * cached_bytes_per_token(config, kv_format)
        for kind in dict.fromkeys(config.layer_types):
            window = config.sliding_window if kind == "sliding_attention" else 0
            blocks = self._blocks_of_pool(window, sequences, step_tokens)
            layers = config.layer_types.count(kind)
            self.pools[kind] = Pool(layers, blocks, block_bytes, window)

    def _blocks_of_pool(self, window: int, sequences: int, step_tokens: int) -> int:
        """Blocks for all tokens, and a begun one per sequence; of windows, one at either end."""
        full = -(-self.tokens // CACHE_BLOCK) + sequences
        if not window:
            return full
        kept = 2 + -(-(window + SLACK) // CACHE_BLOCK)
        return min(sequences * kept + -(-step_tokens // CACHE_BLOCK), full)

    @property
    def blocks_per_sequence(self) -> int:
        """Entries in a row of a block table."""
        return -(-self.context_length // CACHE_BLOCK)

    def sequence(self) -> Sequence:
        """An empty sequence."""
        return Sequence(0, {kind: [] for kind in self.pools})

    def needed(self, sequence: Sequence, tokens: int) -> dict[str, int]:
        """Free blocks that :meth:`append` takes, per kind of layer."""
        new = _new_blocks(sequence, tokens)
        begun = sequence.length % CACHE_BLOCK and tokens
        return {
            kind: new + int(bool(begun) and pool.is_shared(sequence.blocks[kind][-1]))
            for kind, pool in self.pools.items()
        }

    @property
    def free_blocks(self) -> dict[str, int]:
        """Blocks that nobody holds, per kind of layer."""
        return {kind: pool.free_blocks for kind, pool in self.pools.items()}

    def append(self, sequence: Sequence, tokens: int) -> Mapping[str, NDArray[np.int32]]:
        """Make room for ``tokens`` more tokens; their slots, int32 ``[tokens]``, per kind of layer.

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
        slots = {}
        needed = _new_blocks(sequence, tokens)
        for kind, pool in self.pools.items():
            blocks = sequence.blocks[kind]
            if sequence.length % CACHE_BLOCK and tokens:
                blocks[-1] = pool.own(blocks[-1])
            blocks.extend(pool.take() for _ in range(needed))
            places = np.arange(sequence.length, end)
            table = np.asarray(blocks, np.int32)
            slots[kind] = (
                table[places // CACHE_BLOCK] * CACHE_BLOCK + places % CACHE_BLOCK
            ).astype(np.int32)
        sequence.length = end
        return slots

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
        return Sequence(sequence.length, {k: list(b) for k, b in sequence.blocks.items()})

    def truncate(self, sequence: Sequence, length: int) -> None:
        """Drop the tokens from ``length`` on; the last 16 can always be dropped.

        Raises
        ------
        ArgumentError
            The window before ``length`` has been given back: go back to a fork instead.
        """
        if not 0 <= length <= sequence.length:
            raise ArgumentError(f"length={length}: the sequence has {sequence.length} tokens")
        kept = -(-length // CACHE_BLOCK)
        for kind, pool in self.pools.items():
            first = max(length + 1 - pool.window, 0) // CACHE_BLOCK if pool.window else 0
            if FREED in sequence.blocks[kind][first:kept]:
                raise ArgumentError(
                    f"the window before token {length} is no longer in the cache; "
                    "fork the sequence where you may want to return to"
                )
        for kind, pool in self.pools.items():
            for block in sequence.blocks[kind][kept:]:
                pool.release(block)
            del sequence.blocks[kind][kept:]
        sequence.length = length

    def free(self, sequence: Sequence) -> None:
        """Give back everything; the sequence is empty afterwards."""
        for kind, pool in self.pools.items():
            for block in sequence.blocks[kind]:
                pool.release(block)
            sequence.blocks[kind].clear()
        sequence.length = 0

    def reset(self) -> None:
        """Take every block back; sequences that held some must not be used again."""
        for pool in self.pools.values():
            pool.reset()

    def __repr__(self) -> str:
        size = sum(pool.memory.nbytes for pool in self.pools.values())
        return f"KvCache({self.tokens} tokens, {self.kv_format}, up to {size / 1e6:.0f} MB)"


def _new_blocks(sequence: Sequence, tokens: int) -> int:
    return -(-(sequence.length + tokens) // CACHE_BLOCK) - -(-sequence.length // CACHE_BLOCK)


def cached_bytes_per_token(config: ModelConfig, kv_format: KvFormat) -> int:
    """Bytes that a layer keeps of a token: keys, values and their scales."""
    vector = config.head_dim * _BYTES_PER_VALUE[kv_format] + _BYTES_PER_SCALE[kv_format]
    return 2 * config.num_key_value_heads * vector


def cache_tokens(config: ModelConfig, kv_format: KvFormat, memory: int | None) -> int:
    """For how many tokens full layers have room in so many bytes; by default a share of all."""
    full = sum(kind != "sliding_attention" for kind in config.layer_types)
    if memory is None:
        memory = int(memory_bytes() * SHARE_OF_MEMORY)
    else:
        memory = check_count("kv_memory", memory)
    return memory // max(full * cached_bytes_per_token(config, kv_format), 1)
