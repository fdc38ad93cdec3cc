"""What may be given up, that of the lowest rank first."""

from __future__ import annotations

import heapq
from itertools import count
from typing import Generic, TypeVar

from pyhades.llm.cache.policies import Rank

K = TypeVar("K")

_OUTDATED = 2
"""So many times as many places in the order as candidates: then those that are outdated go."""


class Candidates(Generic[K]):
    """A heap whose entries are outdated where their candidate has another rank by now, or is gone.

    Examples
    --------
    >>> candidates = Candidates()
    >>> for name, rank in (("a", 3.0), ("b", 1.0), ("a", 0.0)):
    ...     candidates.put(name, (rank,))
    >>> candidates.take(), candidates.take(), candidates.take()
    ('a', 'b', None)
    """

    def __init__(self) -> None:
        self._numbers = count()
        self._current: dict[K, int] = {}
        self._heap: list[tuple[Rank, int, K]] = []

    def __len__(self) -> int:
        return len(self._current)

    def put(self, candidate: K, rank: Rank) -> None:
        """Enter a candidate, or give it another rank."""
        number = self._current[candidate] = next(self._numbers)
        heapq.heappush(self._heap, (rank, number, candidate))
        if len(self._heap) > _OUTDATED * len(self._current) + 64:
            self._heap = [entry for entry in self._heap if self._counts(entry)]
            heapq.heapify(self._heap)

    def discard(self, candidate: K) -> None:
        """Forget a candidate, if it is one."""
        self._current.pop(candidate, None)

    def take(self) -> K | None:
        """The candidate of the lowest rank, which is none any more; None where there are none."""
        while self._heap:
            entry = heapq.heappop(self._heap)
            if self._counts(entry):
                del self._current[entry[2]]
                return entry[2]
        return None

    def _counts(self, entry: tuple[Rank, int, K]) -> bool:
        return self._current.get(entry[2]) == entry[1]
