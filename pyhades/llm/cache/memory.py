"""Level 2: records in memory, in fewer bytes than the pool needs for them."""

from __future__ import annotations

import heapq
import logging
import os
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

from pyhades.arguments import check_count, one_of
from pyhades.llm.cache.addresses import Digest
from pyhades.llm.cache.clock import steady_time
from pyhades.llm.cache.codec import CODECS, Codec, DamagedError, encoded
from pyhades.llm.cache.policies import DEFAULT_POLICY, POLICIES, Policy, PolicyName, Rank, Use
from pyhades.llm.cache.records import Encoded, Key, LevelCounts, Record, Stored

OVERHEAD = 1536
"""Bytes that a record takes besides its contents: its names, tokens, use and place in the order."""
_OUTDATED = 2
"""So many times as many places in the order as records: then those that are outdated go."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Kept:
    """A record as it is kept."""

    parent: Digest
    tokens: bytes
    parts: Mapping[str, Encoded]
    use: Use
    raw_bytes: int
    size: int
    place: int = -1
    """Which of its entries in the order counts."""


class MemoryLevel:
    """Records that the pool had no room for, encoded.

    Parameters
    ----------
    room_bytes
        What all of it may take, with names and administration; never more.
    policy
        What is given up first, by name or as a function; see :mod:`pyhades.llm.cache.policies`.
    codec
        How contents are kept, see :func:`pyhades.llm.cache.codec.codec_of`.
    clock
        Seconds since the epoch.

    Examples
    --------
    >>> from pyhades.llm.cache.codec import codec_of
    >>> from pyhades.llm.cache.memory import MemoryLevel
    >>> MemoryLevel(1_000_000, codec=codec_of("int8"))
    MemoryLevel(0 records, 0.0 of 1.0 MB; contents as they are)
    """

    name = "memory"
    outlives = False

    def __init__(
        self,
        room_bytes: int,
        policy: PolicyName | Policy = DEFAULT_POLICY,
        codec: Codec = CODECS["planes"],
        clock: Callable[[], float] = steady_time,
    ) -> None:
        self._room = check_count("room_bytes", room_bytes)
        if not callable(policy):
            policy = POLICIES[one_of("policy", policy, PolicyName)]
        self._policy = policy
        self._codec = codec
        self._clock = clock
        self._begin()
        _LEVELS.add(self)
        log.info("opened %r", self)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._records: dict[Key, _Kept] = {}
        self._order: list[tuple[Rank, int, Key]] = []
        """A heap. An entry whose number is not the place of its record is outdated."""
        self._places = count()
        self._counts = LevelCounts(self.name, room=self._room)

    def has(self, key: Key) -> bool:
        """Whether a record is there."""
        return key in self._records

    def put(self, record: Record) -> None:
        """Keep a record; what ranks lowest is given up for it, or it is, where it ranks lowest."""
        if record.key in self._records:
            return
        self.put_stored(encoded(record, self._codec))

    def put_stored(self, stored: Stored) -> None:
        """Keep a record as another level has it, encoded by the same codec."""
        size = OVERHEAD + sum(len(data) for _, data in stored.parts.values())
        use = replace(stored.use, first=stored.use.first or self._clock())
        kept = _Kept(stored.parent, stored.tokens, stored.parts, use, stored.raw_bytes, size)
        with self._lock:
            if stored.key in self._records:
                return
            if size > self._room or stored.codec != self._codec.name:
                self._count(skipped=1)
                return
            self._records[stored.key] = kept
            self._place(stored.key, kept)
            self._count(1, kept, written=1)
            while self._counts.bytes > self._room:
                self._give_up_lowest()

    def stored(self, key: Key) -> Stored | None:
        """A record as it is kept; None where there is none."""
        kept = self._records.get(key)
        if kept is None:
            return None
        name, use = self._codec.name, replace(kept.use)
        return Stored(key, kept.parent, kept.tokens, name, kept.parts, kept.raw_bytes, use)

    def get(self, key: Key) -> Record | None:
        """A record as it was put; None where there is none any more, or it is damaged."""
        kept = self._records.get(key)
        if kept is None:
            with self._lock:
                self._count(misses=1)
            return None
        try:
            contents = {
                kind: self._codec.decode(data, shape) for kind, (shape, data) in kept.parts.items()
            }
        except DamagedError as error:
            log.warning("a record in memory is damaged, and dropped: %s", error)
            self._drop_damaged(key, kept)
            return None
        with self._lock:
            self._count(hits=1)
            return Record(key, kept.parent, kept.tokens, contents, replace(kept.use))

    def touch(self, keys: Sequence[Key], use: Use) -> None:
        """Records were used again, on whatever level: ``last`` and ``purpose`` are those of use."""
        with self._lock:
            for key in keys:
                kept = self._records.get(key)
                if kept is not None:
                    kept.use.last = max(kept.use.last, use.last)
                    kept.use.purpose = use.purpose
                    kept.use.count += 1
                    self._place(key, kept)

    def counts(self) -> LevelCounts:
        """What it holds and has done."""
        return self._counts

    def close(self) -> None:
        """Free the memory."""
        with self._lock:
            self._records.clear()
            self._order.clear()
            self._counts = replace(self._counts, records=0, bytes=0, raw_bytes=0)

    def after_fork(self) -> None:
        """In a forked child: empty, since the parent may have been in the midst of a change."""
        self._begin()

    def __repr__(self) -> str:
        return f"MemoryLevel({self._counts}; {self._codec!r})"

    def _place(self, key: Key, kept: _Kept) -> None:
        """Enter a record into the order by its present rank."""
        kept.place = next(self._places)
        heapq.heappush(self._order, (self._policy(kept.use), kept.place, key))
        if len(self._order) > _OUTDATED * len(self._records) + 64:
            self._order = [entry for entry in self._order if self._counts_still(entry)]
            heapq.heapify(self._order)

    def _counts_still(self, entry: tuple[Rank, int, Key]) -> bool:
        kept = self._records.get(entry[2])
        return kept is not None and kept.place == entry[1]

    def _give_up_lowest(self) -> None:
        while True:
            entry = heapq.heappop(self._order)
            if self._counts_still(entry):
                self._count(-1, self._records.pop(entry[2]), evicted=1)
                return

    def _drop_damaged(self, key: Key, kept: _Kept) -> None:
        with self._lock:
            if self._records.get(key) is kept:
                self._count(-1, self._records.pop(key), damaged=1)

    def _count(self, more: int = 0, kept: _Kept | None = None, **events: int) -> None:
        """Note that so many more (or less) of such a record are there, and what has happened."""
        counts = self._counts
        happened = {name: getattr(counts, name) + number for name, number in events.items()}
        if kept is not None:
            happened["records"] = counts.records + more
            happened["bytes"] = counts.bytes + more * kept.size
            happened["raw_bytes"] = counts.raw_bytes + more * kept.raw_bytes
        self._counts = replace(counts, **happened)


_LEVELS: weakref.WeakSet[MemoryLevel] = weakref.WeakSet()


def _after_fork() -> None:
    for level in list(_LEVELS):
        level.after_fork()


os.register_at_fork(after_in_child=_after_fork)
