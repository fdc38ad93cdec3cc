"""The KV cache: blocks of 16 tokens, shared between sequences, one pool per kind of layer.

Layers with a sliding window have a pool of their own, whose blocks are given back once no later
token can see them. Users of blocks are counted: a fork shares every full block, and copies the last
one. What was read is kept after its sequence has gone, as long as nobody needs the room: see
:mod:`pyhades.llm.cache.prefixes`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from collections.abc import Sequence as Items
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from pyhades.arguments import one_of
from pyhades.errors import ArgumentError, CapacityError
from pyhades.kernels.paged_attention import KvFormat
from pyhades.llm.cache.addresses import Address, Names
from pyhades.llm.cache.fetch import Fetch
from pyhades.llm.cache.levels import Levels
from pyhades.llm.cache.policies import DEFAULT_POLICY, PolicyName
from pyhades.llm.cache.pool import FREED, Pool
from pyhades.llm.cache.prefixes import CHECKPOINT_TOKENS, Prefixes
from pyhades.llm.cache.records import Key
from pyhades.llm.cache.resuming import reach_of, sees_everything
from pyhades.llm.cache.sequence import Sequence
from pyhades.llm.cache.sizes import cached_bytes_per_token
from pyhades.llm.models.config import ModelConfig
from pyhades.llm.models.layers import CACHE_BLOCK
from pyhades.llm.text.outputs import CacheInfo

__all__ = ["FREED", "KvCache", "Sequence"]

SLACK = CACHE_BLOCK
"""Tokens that may be dropped again after the window has moved on over them."""
FEWEST_CHECKPOINTS = 4
"""Windows that can be kept, however small the cache is."""


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
    levels
        Where to keep what there is no room for, and what is to outlive the process. They are closed
        with the cache.
    policy
        What is given up first, see :mod:`pyhades.llm.cache.policies`.
    facts
        What else changes keys and values, by name: two caches find each other's texts where all of
        it is equal.
    clock
        Seconds since the epoch.

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
        levels: Levels | None = None,
        policy: PolicyName = DEFAULT_POLICY,
        facts: Mapping[str, str] = MappingProxyType({}),
        clock: Callable[[], float] = time.time,
    ) -> None:
        one_of("kv_format", kv_format, KvFormat)
        one_of("policy", policy, PolicyName)
        self.context_length = context_length
        whole = context_length * sequences
        self.tokens = whole if tokens is None else min(max(tokens, context_length), whole)
        self.kv_format = kv_format
        self._levels = levels
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
            mine = {"model": repr(config), "keys and values": kv_format}
            names = Names({**facts, **mine, "block": str(CACHE_BLOCK)})
            self.prefixes = Prefixes(self.pools, names, reach_of(config), policy, levels, clock)

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

    def declare(self, tokens: Items[int]) -> None:
        """Let everybody find a beginning of texts, whoever reads it first.

        Others can tell from the time that a prompt takes whether somebody has read the same: so
        this is for what everybody may know, such as the instructions that all prompts begin with.
        Whole blocks of 16 tokens are shared; what is read already is read once more.
        """
        if self.prefixes is not None:
            self.prefixes.names.declare(tokens)

    def address(
        self, tokens: Items[int], client: str = "", points: Items[int] = ()
    ) -> Address | None:
        """By what a prompt is looked up among those that were read; None where they are not kept.

        Parameters
        ----------
        tokens
            The prompt.
        client
            Whose it is: nobody else finds it.
        points
            Lengths at which other texts are likely to part from it.
        """
        return None if self.prefixes is None else self.prefixes.address(tokens, client, points)

    def wanted(self, address: Address) -> Items[Key]:
        """What :meth:`order` would have fetched of a text that was looked up."""
        exchange = None if self.prefixes is None else self.prefixes.exchange
        return () if exchange is None else exchange.wanted(address)

    def order(self, address: Address) -> Fetch | None:
        """Have more of a text that was looked up fetched from the levels below.

        None where not enough of it is there. :meth:`take_in` takes what comes.
        """
        exchange = None if self.prefixes is None else self.prefixes.exchange
        return None if exchange is None else exchange.order(address)

    def wake_with(self, wake: Callable[[], object]) -> None:
        """What is called, by another thread, whenever there is something to take in."""
        if self._levels is not None:
            self._levels.wake = wake

    def take_in(self, address: Address, fetch: Fetch) -> None:
        """Keep what was fetched so far; it has to be looked up once more to be found."""
        if self.prefixes is not None and self.prefixes.exchange is not None:
            self.prefixes.exchange.take_in(address, fetch)

    def begin(self, address: Address) -> Sequence:
        """A sequence that holds what was found of a text, and will be found by others."""
        assert self.prefixes is not None
        trail, blocks = self.prefixes.begin(address)
        return Sequence(trail.length, blocks, trail, address.place.known * CACHE_BLOCK)

    def needed(self, sequence: Sequence, tokens: int) -> dict[str, int]:
        """Free blocks that :meth:`append` takes, per kind of layer."""
        return {kind: sequence.needed(kind, pool, tokens) for kind, pool in self.pools.items()}

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
        slots = {kind: sequence.append(kind, pool, tokens) for kind, pool in self.pools.items()}
        sequence.length = end
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
        if sequence.trail is not None and self.prefixes is not None:
            self.prefixes.back(sequence.trail, length)

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
            self.prefixes.end(sequence.trail, sequence.blocks, is_open)
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
        exchange = prefixes.exchange
        fetched = 0 if exchange is None else exchange.fetched * CACHE_BLOCK
        counts, evicted = prefixes.counts, prefixes.counts.evicted * CACHE_BLOCK
        kept, checkpoints = len(prefixes) * CACHE_BLOCK, prefixes.checkpoints
        return CacheInfo(
            counts.asked, counts.found, kept, self.tokens, checkpoints, evicted,
            counts.rederived, fetched,
        )  # fmt: skip

    def close(self) -> None:
        """Free the memory, and close the levels below."""
        for pool in self.pools.values():
            pool.reclaim = pool.on_idle = None  # which hold what holds the pool
        if self._levels is not None:
            self._levels.close()
        self.pools.clear()
        self.prefixes = None

    def __repr__(self) -> str:
        size = sum(pool.memory.nbytes for pool in self.pools.values())
        return f"KvCache({self.tokens} tokens, {self.kv_format}, up to {size / 1e6:.0f} MB)"
