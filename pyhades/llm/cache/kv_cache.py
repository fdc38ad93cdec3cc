"""The KV cache: blocks of 16 tokens, shared between sequences, one pool per kind of layer.

Layers with a sliding window have a pool of their own, whose blocks are given back once no later
token can see them. Users of blocks are counted: a fork shares every full block, and copies the last
one. What was read is kept after its sequence has gone, as long as nobody needs the room: see
:mod:`pyhades.llm.cache.prefixes`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Sequence as Items
from types import MappingProxyType

from pyhades.arguments import one_of
from pyhades.errors import ArgumentError
from pyhades.kernels.paged_attention import KvFormat
from pyhades.llm.cache.addresses import Address, Names
from pyhades.llm.cache.clock import steady_time
from pyhades.llm.cache.fetch import Fetch
from pyhades.llm.cache.levels import Levels
from pyhades.llm.cache.policies import DEFAULT_POLICY, PolicyName
from pyhades.llm.cache.pool import FREED, Pool
from pyhades.llm.cache.prefixes import Prefixes
from pyhades.llm.cache.records import Key
from pyhades.llm.cache.resuming import reach_of, sees_everything
from pyhades.llm.cache.sequences import SLACK, Sequence, Sequences
from pyhades.llm.cache.sizes import cached_bytes_per_token
from pyhades.llm.cache.trails import CHECKPOINT_TOKENS
from pyhades.llm.models.config import ModelConfig
from pyhades.llm.models.layers import CACHE_BLOCK
from pyhades.llm.text.outputs import CacheInfo

__all__ = ["FREED", "KvCache", "Sequence"]

FEWEST_CHECKPOINTS = 4
"""Windows that can be kept, however small the cache is."""


class KvCache(Sequences):
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
        clock: Callable[[], float] = steady_time,
    ) -> None:
        one_of("kv_format", kv_format, KvFormat)
        one_of("policy", policy, PolicyName)
        self.context_length = context_length
        whole = context_length * sequences
        self.tokens = whole if tokens is None else min(max(tokens, context_length), whole)
        self.kv_format = kv_format
        self._levels = levels
        keeps_windows = prefixes and any(map(sees_everything, config.layer_types))
        windows = FEWEST_CHECKPOINTS + self.tokens // CHECKPOINT_TOKENS if keeps_windows else 0
        self.pools = {
            kind: self._pool(kind, config, sequences, step_tokens, windows)
            for kind in dict.fromkeys(config.layer_types)
        }
        self.prefixes = None
        if levels is not None and not keeps_windows:
            raise ArgumentError("levels have nothing to keep where prefixes are not kept")
        if keeps_windows:
            mine = {"model": repr(config), "keys and values": kv_format}
            names = Names({**facts, **mine, "block": str(CACHE_BLOCK)})
            self.prefixes = Prefixes(self.pools, names, reach_of(config), policy, levels, clock)

    def _pool(
        self, kind: str, config: ModelConfig, sequences: int, step_tokens: int, windows: int
    ) -> Pool:
        """The blocks of a kind of layer, with room for so many windows besides those in use."""
        layers = config.layer_types.count(kind)
        block_bytes = CACHE_BLOCK * cached_bytes_per_token(config, self.kv_format)
        if sees_everything(kind):  # all tokens, and a begun block per sequence
            return Pool(layers, -(-self.tokens // CACHE_BLOCK) + sequences, block_bytes, 0)
        window = config.sliding_window  # with a block at either end
        kept = min(2 + -(-(window + SLACK) // CACHE_BLOCK), self.blocks_per_sequence)
        blocks = sequences * kept + -(-step_tokens // CACHE_BLOCK)
        blocks += windows * -(-window // CACHE_BLOCK)
        return Pool(layers, blocks, block_bytes, window)

    @property
    def blocks_per_sequence(self) -> int:
        """Entries in a row of a block table."""
        return -(-self.context_length // CACHE_BLOCK)

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
        below = None if self.prefixes is None else self.prefixes.below
        return () if below is None else below.wanted(address)

    def order(self, address: Address) -> Fetch | None:
        """Have more of a text that was looked up fetched from the levels below.

        None where not enough of it is there. :meth:`take_in` takes what comes.
        """
        below = None if self.prefixes is None else self.prefixes.below
        return None if below is None else below.order(address)

    def wake_with(self, wake: Callable[[], object]) -> None:
        """What is called, by another thread, whenever there is something to take in."""
        if self._levels is not None:
            self._levels.wake = wake

    def take_in(self, address: Address, fetch: Fetch) -> None:
        """Keep what was fetched so far; it has to be looked up once more to be found."""
        if self.prefixes is not None and self.prefixes.below is not None:
            self.prefixes.below.take_in(address, fetch)

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
        fetched = 0 if prefixes.below is None else prefixes.below.blocks * CACHE_BLOCK
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
