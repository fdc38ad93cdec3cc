"""Who may read in the next step, in which order, and what it means to begin."""

from __future__ import annotations

from collections.abc import Callable

from pyhades.llm.cache.kv_cache import KvCache
from pyhades.llm.engine.answer import Answer
from pyhades.llm.engine.policy import Unread, reading_order
from pyhades.llm.engine.scheduling.fetching import Fetching
from pyhades.llm.engine.scheduling.followers import without_followers
from pyhades.llm.engine.scheduling.roster import Roster
from pyhades.llm.engine.step_costs import StepCosts


class Admission:
    """The door: those who wait stand before it in order.

    Parameters
    ----------
    cache
        What was read before.
    roster
        Who waits, and who reads already.
    fetching
        What comes from the levels below.
    costs
        How long reading takes.
    clock
        Seconds.
    """

    def __init__(
        self,
        cache: KvCache,
        roster: Roster,
        fetching: Fetching,
        costs: StepCosts,
        clock: Callable[[], float],
    ) -> None:
        self._cache = cache
        self._roster = roster
        self._fetching = fetching
        self._costs = costs
        self._clock = clock

    def order(self, *, is_open: bool) -> list[Answer]:
        """Who may read, in order, without those for whom somebody before them reads.

        Parameters
        ----------
        is_open
            Whether somebody may begin; else those alone who read already.
        """
        roster = self._roster
        waiting = roster.waiting if is_open else []
        for answer in waiting:
            self._fetching.look_up(answer)
        order = self._by_policy([a for a in roster.holding if not a.is_writing] + waiting)
        if self._cache.prefixes is None:
            return order
        return without_followers(self._fetching.ready(order, waiting, is_busy=roster.is_busy))

    def _by_policy(self, unread: list[Answer]) -> list[Answer]:
        """Those whose readers read and for whom nothing is fetched, in order."""
        is_suspended = self._roster.is_suspended
        candidates = [a for a in unread if not is_suspended(a) and a.fetch is None]
        now = self._clock()
        views = [
            Unread(key, a.request.client, self._costs.seconds(a.unread), now - a.arrival[1])
            for key, a in enumerate(candidates)
        ]
        return [candidates[key] for key in reading_order(views, self._roster.shares.served)]

    def admit(self, answer: Answer) -> None:
        """Let an answer hold blocks, first those that were found for it."""
        self._roster.begin(answer)
        address, prefixes = answer.address, self._cache.prefixes
        if address is None or prefixes is None:
            return
        answer.sequence = self._cache.begin(address)
        if not answer.written:
            answer.cached_tokens = answer.read
            prefixes.counts.asked += len(answer.tokens)
            prefixes.counts.found += answer.read
