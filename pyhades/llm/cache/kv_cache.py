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

from pyhades.arguments import check_count, one_of
from pyhades.config import memory_bytes
from pyhades.errors import ArgumentError, CapacityError
from pyhades.kernels.paged_attention import KvFormat
from pyhades.llm.cache.addresses import Address
from pyhades.llm.cache.pool import FREED, Pool
from pyhades.llm.cache.prefixes import CHECKPOINT_TOKENS, Prefixes, Trail
from pyhades.llm.models.config import ModelConfig
from pyhades.llm.models.layers import CACHE_BLOCK
from pyhades.llm.text.outputs import CacheInfo

SLACK = CACHE_BLOCK
"""Tokens that may be dropped again after the window has moved on over them."""
FEWEST_CHECKPOINTS = 4
"""Windows that can be kept, however small the cache is."""
SHARE_OF_MEMORY = 0.25
"""Of the machine's memory, that keys and values may take unless told otherwise."""
_BYTES_PER_VALUE = {"bf16": 2, "int8": 1}
_BYTES_PER_SCALE = {"bf16": 0, "int8": 4}
"""One per key and per value of a head."""


@dataclass
class Sequence:
    """A text in the cache: its length, and the blocks that hold it, per kind of layer.

    With a trail, others that begin with the same text find what it has read.
    """

    length: int = 0
    blocks: dict[str, list[int]] = field(default_factory=dict)
    trail: Trail | None = None


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
            self.prefixes = Prefixes(self.pools, facts | {"block": str(CACHE_BLOCK)})

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
        return Sequence(trail.node.depth * CACHE_BLOCK, blocks, trail)

    def needed(self, sequence: Sequence, tokens: int) -> dict[str, int]:
        """Free blocks that :meth:`append` takes, per kind of layer."""
        new = _new_blocks(sequence, tokens)
        begun = sequence.length % CACHE_BLOCK and tokens
        return {
            kind: new + int(bool(begun) and pool.is_shared(sequence.blocks[kind][-1]))
            for kind, pool in self.pools.items()
        }

    def needed_to_begin(self, tokens: int, address: Address | None) -> dict[str, int]:
        """Free blocks that a text of so many tokens takes, where it begins with what was found."""
        if address is None or self.prefixes is None:
            return dict.fromkeys(self.pools, -(-tokens // CACHE_BLOCK))
        idle = self.prefixes.idle_blocks(address)
        return {kind: -(-tokens // CACHE_BLOCK) - address.depth + idle[kind] for kind in idle}

    @property
    def free_blocks(self) -> dict[str, int]:
        """Blocks that no sequence holds, per kind of layer: free ones, and those kept for later."""
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
        first = sequence.length // CACHE_BLOCK
        places = np.arange(sequence.length - first * CACHE_BLOCK, end - first * CACHE_BLOCK)
        for kind, pool in self.pools.items():
            blocks = sequence.blocks[kind]
            if sequence.length % CACHE_BLOCK and tokens:
                blocks[-1] = pool.own(blocks[-1])
            blocks.extend(pool.take() for _ in range(needed))
            written = np.asarray(blocks[first:], np.int32)
            slots[kind] = (
                written[places // CACHE_BLOCK] * CACHE_BLOCK + places % CACHE_BLOCK
            ).astype(np.int32)
        sequence.length = end
        return slots

    def follow(self, sequence: Sequence, tokens: Items[int]) -> None:
        """Take note of what was read into the blocks of the last :meth:`append`, and forget."""
        if sequence.trail is not None and self.prefixes is not None:
            self.prefixes.follow(sequence.trail, sequence.blocks, tokens)
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
        return Sequence(sequence.length, {k: list(b) for k, b in sequence.blocks.items()}, trail)

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
            for block in reversed(sequence.blocks[kind][kept:]):
                pool.release(block)
            del sequence.blocks[kind][kept:]
        sequence.length = length
        if sequence.trail is not None and self.prefixes is not None:
            self.prefixes.back(sequence.trail, length)

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
        sequence.length = 0
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
        return CacheInfo(counts.asked, counts.found, kept, self.tokens, checkpoints, evicted)

    def close(self) -> None:
        """Free the memory."""
        for pool in self.pools.values():
            pool.reclaim = None  # which holds what holds the pool
        self.pools.clear()
        self.prefixes = None

    def __repr__(self) -> str:
        size = sum(pool.memory.nbytes for pool in self.pools.values())
        return f"KvCache({self.tokens} tokens, {self.kv_format}, up to {size / 1e6:.0f} MB)"


def _new_blocks(sequence: Sequence, tokens: int) -> int:
    return -(-(sequence.length + tokens) // CACHE_BLOCK) - -(-sequence.length // CACHE_BLOCK)


def sees_everything(kind: str) -> bool:
    """Whether a query of such a layer sees all tokens before it, and not a window of them."""
    return kind != "sliding_attention"


def cached_bytes_per_token(config: ModelConfig, kv_format: KvFormat) -> int:
    """Bytes that a layer keeps of a token: keys, values and their scales."""
    vector = config.head_dim * _BYTES_PER_VALUE[kv_format] + _BYTES_PER_SCALE[kv_format]
    return 2 * config.num_key_value_heads * vector


def cache_tokens(
    config: ModelConfig, kv_format: KvFormat, memory: int | None, *, prefixes: bool = True
) -> int:
    """For how many tokens there is room in so many bytes; by default in a share of all.

    Of layers that see everything and, with ``prefixes``, of the windows that are kept for later.
    Those of answers in progress, which do not grow with their text, come on top.
    """
    if memory is None:
        memory = int(memory_bytes() * SHARE_OF_MEMORY)
    else:
        memory = check_count("kv_memory", memory)
    full = sum(map(sees_everything, config.layer_types))
    windowed = len(config.layer_types) - full if prefixes else 0
    layers = full + windowed * config.sliding_window / CHECKPOINT_TOKENS
    return int(memory / max(layers * cached_bytes_per_token(config, kv_format), 1))
