"""Whether there is room: blocks in the cache, and places in a step."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence as Items

from pyhades.llm.cache.kv_cache import KvCache
from pyhades.llm.engine.answer import Answer, Portion
from pyhades.llm.engine.scheduling.roster import Roster
from pyhades.llm.models.step import Limits


class Room:
    """What is left of a cache and a step; it looks, and takes nothing.

    Parameters
    ----------
    cache
        Has the blocks.
    limits
        Of a step.
    roster
        Who holds blocks and takes places.
    """

    def __init__(self, cache: KvCache, limits: Limits, roster: Roster) -> None:
        self._cache = cache
        self._limits = limits
        self._roster = roster

    def has_blocks(self, portions: Iterable[Portion]) -> bool:
        """Whether there are blocks for all these tokens together."""
        free = self._cache.free_blocks
        for answer, tokens in portions:
            for kind, blocks in self._cache.needed(answer.sequence, tokens).items():
                free[kind] -= blocks
        return all(blocks >= 0 for blocks in free.values())

    def most(self, answer: Answer, count: int, others: Items[Portion]) -> int:
        """How much of a chunk there are blocks for, beside the portions of others."""
        while count and not self.has_blocks([*others, (answer, count)]):
            count //= 2
        return count

    def has_place(self, answer: Answer) -> bool:
        """Whether a step takes one more answer, and those to the same prompt."""
        return self._roster.running + 1 + len(answer.siblings) <= self._limits.sequences

    def may_begin(self, answer: Answer, others: Items[Portion]) -> bool:
        """Whether there is room for a prompt, and for everybody else's next tokens."""
        holding = self._roster.holding
        if not holding:
            return True
        if not self.has_place(answer):
            return False
        cache = self._cache
        to_read = [(each, each.unread) for each in holding if not each.is_writing]
        needs = [cache.needed(other.sequence, tokens) for other, tokens in [*others, *to_read]]
        needs.append(cache.needed_to_begin(len(answer.tokens), answer.address))
        free = cache.free_blocks
        for needed in needs:
            for kind, pool in cache.pools.items():
                # What leaves a window makes room again.
                free[kind] -= 1 if pool.window else needed[kind]
        reserve = self._roster.running + len(answer.siblings)
        return all(blocks >= reserve for blocks in free.values())
