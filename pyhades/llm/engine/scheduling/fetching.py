"""Answers that wait for what is fetched of their texts from the levels below the pool.

What is fetched lies idle in the pool until its answer begins, so no more is fetched than fits it
along with what comes before in the order of reading; others wait until there is room.
"""

from __future__ import annotations

from collections.abc import Sequence as Items

from pyhades.llm.cache.kv_cache import KvCache
from pyhades.llm.engine.answer import Answer


class Fetching:
    """Orders what is fetched, and takes it in.

    Parameters
    ----------
    cache
        Where texts are looked up.
    """

    def __init__(self, cache: KvCache) -> None:
        self._cache = cache

    def note(self, answer: Answer) -> None:
        """Note the text of an answer as it is now, by which it is found among what was read.

        Not of one that wants rows of logits: those are of every token.
        """
        request = answer.request
        if answer.address is None and not request.wants_rows:  # or a sibling, begun with a fork
            answer.address = self._cache.address(request.tokens, request.client, request.points)
        if answer.address is not None:
            answer.address.extend(answer.tokens)

    def look_up(self, answer: Answer) -> None:
        """Note what the pool has of the text of an answer that waits."""
        if answer.address is not None and self._cache.prefixes is not None:
            self._cache.prefixes.look_up(answer.address)

    def receive(self, waiting: Items[Answer]) -> None:
        """Take in what has come."""
        for answer in waiting:
            if answer.fetch is not None and answer.address is not None:
                self._cache.take_in(answer.address, answer.fetch)
                if answer.fetch.is_over:
                    answer.fetch = None
                    self.look_up(answer)

    def ready(self, order: Items[Answer], waiting: Items[Answer], *, is_busy: bool) -> list[Answer]:
        """Those of ``order`` that need not wait; for the others, what they need is ordered.

        Parameters
        ----------
        order
            Who may read, in order; of those that wait, all were looked up.
        waiting
            All that wait.
        is_busy
            Whether others hold blocks, and will give them back.
        """
        pending = [answer for answer in waiting if answer.fetch is not None]
        free = min(
            blocks
            for kind, blocks in self._cache.free_blocks.items()
            if not self._cache.pools[kind].window
        )
        ahead = sum(_blocks(answer) for answer in pending)
        ready = []
        for answer in order:
            answer.is_behind = False
            if not answer.is_admitted and answer.address is not None:
                wanted = len(self._cache.wanted(answer.address))
                lacks_room = ahead + wanted > free and (ahead or is_busy)
                if wanted and (lacks_room or _comes_for_another(answer, pending)):
                    answer.is_behind = True
                    continue
                answer.fetch = self._cache.order(answer.address)
                self.receive([answer])
                ahead += _blocks(answer)
                if answer.fetch is not None:
                    pending.append(answer)
                    continue
            ready.append(answer)
        for answer in ready:  # what came for one may have taken the room of another's
            if not answer.is_admitted:
                self.look_up(answer)
        return ready


def _blocks(answer: Answer) -> int:
    """Blocks of a text that are there or on their way."""
    known = 0 if answer.address is None else answer.address.place.known
    return known + (0 if answer.fetch is None else len(answer.fetch.keys))


def _comes_for_another(answer: Answer, pending: Items[Answer]) -> bool:
    """Whether some of what an answer needs is being fetched for another."""
    mine = answer.address
    return mine is not None and any(
        other.address is not None and mine.common_depth(other.address) > mine.place.known
        for other in pending
    )
