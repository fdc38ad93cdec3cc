"""Who gives way where no room is left: for those who write, and for clients that have nothing."""

from __future__ import annotations

from collections.abc import Sequence as Items

from pyhades.llm.cache.kv_cache import KvCache
from pyhades.llm.engine.answer import Answer, Portion
from pyhades.llm.engine.policy import Holder, unfair_holder, victim
from pyhades.llm.engine.scheduling.fetching import Fetching
from pyhades.llm.engine.scheduling.room import Room
from pyhades.llm.engine.scheduling.roster import Roster
from pyhades.llm.models.layers import CACHE_BLOCK


class Preemption:
    """Makes room. Whoever gives way is read again from its tokens, with the same result.

    Parameters
    ----------
    cache
        Gets blocks back.
    roster
        Who holds them.
    room
        Whether any are left.
    fetching
        By what those who gave way are found again.

    Attributes
    ----------
    count
        How often somebody gave way.
    """

    def __init__(self, cache: KvCache, roster: Roster, room: Room, fetching: Fetching) -> None:
        self._cache = cache
        self._roster = roster
        self._room = room
        self._fetching = fetching
        self.count = 0

    def preempt(self, answer: Answer) -> None:
        """Take an answer's blocks."""
        self.count += 1
        self._cache.free(answer.sequence)
        self._roster.give_way(answer)
        self._fetching.note(answer)

    def preempt_one(self) -> None:
        """Take the blocks of whoever is chosen by :func:`pyhades.llm.engine.policy.victim`."""
        self.preempt(self._roster.holding[victim(self._holders())])

    def writers(self, most: int) -> tuple[list[Portion], bool]:
        """A token for each that writes, at most so many, and whether others gave way for them."""
        has_preempted = False
        while True:
            writing = [(answer, 1) for answer in self._roster.writing[:most]]
            if self._room.has_blocks(writing):
                return writing, has_preempted
            self.preempt_one()
            has_preempted = True

    def make_fair_room(self, writing: Items[Portion]) -> bool:
        """Where a client has nothing and no room is left, the one that holds most gives way.

        Returns
        -------
        bool
            Whether an answer has given way.
        """
        holding = self._roster.holding
        clients = {answer.request.client for answer in holding}
        for answer in self._roster.waiting:
            if answer.request.client in clients or answer.fetch is not None:
                continue
            has_place = self._room.has_place(answer)
            if has_place and not self._lacks_blocks(answer, writing):
                continue
            greedy = unfair_holder(self._holders(of_blocks=has_place), answer.request.client)
            if greedy is not None:
                self.preempt(holding[greedy])
                return True
        return False

    def _lacks_blocks(self, newcomer: Answer, writing: Items[Portion]) -> bool:
        """Whether there are none for it to begin. What gave way for want of them has begun."""
        if newcomer.written:
            return False
        self._fetching.look_up(newcomer)
        return not self._room.may_begin(newcomer, writing)

    def _holders(self, *, of_blocks: bool = False) -> list[Holder]:
        is_suspended = self._roster.is_suspended
        return [
            Holder(
                key, answer.request.client, answer.arrival[0], is_suspended(answer),
                -(-answer.sequence.length // CACHE_BLOCK) if of_blocks else 1,
            )
            for key, answer in enumerate(self._roster.holding)
        ]  # fmt: skip
