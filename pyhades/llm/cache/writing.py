"""What is on its way to the levels below the pool."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import replace

from pyhades.llm.cache.policies import Use
from pyhades.llm.cache.records import Key, Level, LevelCounts, Record
from pyhades.llm.cache.worker import Worker

QUEUE_BYTES = 64 << 20
"""Of records that wait to be written."""
PAUSE = 0.005
"""Seconds that the writer leaves the interpreter to whoever has just begun to give it records."""

log = logging.getLogger(__name__)


class Writing:
    """A level, and what is on its way to it. Nothing that it does raises."""

    def __init__(self, level: Level) -> None:
        self._level = level
        self.outlives = level.outlives
        self.waiting: dict[Key, Record] = {}
        self.refused = 0
        """For want of room in the queue, counted by who orders."""
        self._failed = 0
        """Counted by who writes."""
        self._has_warned = False

    def has(self, key: Key) -> bool:
        return key in self.waiting or self._level.has(key)

    def put(self, record: Record) -> None:
        try:
            self._level.put(record)
        except Exception as error:  # a record less; those who read it elsewhere go on
            self._failed += 1
            self._warn(error)

    def put_as_in(self, other: Writing, key: Key, waited: Record | None) -> None:
        """Keep what another level has, without coding it anew; or what was on its way there."""
        try:
            stored = other._level.stored(key)
            if stored is not None:
                self._level.put_stored(stored)
            elif waited is not None:
                self._level.put(waited)
        except Exception as error:
            self._failed += 1
            self._warn(error)

    def get(self, key: Key) -> Record | None:
        record = self.waiting.get(key)
        try:
            return self._level.get(key) if record is None and self._level.has(key) else record
        except Exception as error:
            self._warn(error)
            return None

    def touch(self, keys: Sequence[Key], use: Use) -> None:
        try:
            self._level.touch(keys, use)
        except Exception as error:
            self._warn(error)

    def counts(self) -> LevelCounts:
        counts = self._level.counts()
        return replace(counts, skipped=counts.skipped + self.refused + self._failed)

    def close(self) -> None:
        try:
            self._level.close()
        except Exception as error:
            self._warn(error)

    def _warn(self, error: Exception) -> None:
        if not self._has_warned:
            self._has_warned = True
            log.warning("the cache's level %s fails: %s", self._level.name, error, exc_info=True)


class Queue:
    """Records that wait to be written."""

    def __init__(self, writers: Sequence[Writing], room: int, *, inline: bool) -> None:
        self._writers = writers
        self._room = room
        self.worker = Worker("pyhades cache writer", inline=inline, pause=PAUSE)
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._bytes = 0
        self._is_dropped = False

    def put(self, writing: Writing, record: Record) -> None:
        size = record.nbytes
        with self._lock:
            if self._bytes + size > self._room:
                writing.refused += 1
                return
            self._bytes += size
        writing.waiting[record.key] = record
        self.worker.order(lambda: self._write(writing, record, size))

    def copy(self, writing: Writing, other: Writing, key: Key) -> None:
        """Have a level keep what another has, or is about to have."""
        waited = other.waiting.get(key)
        self.worker.order(lambda: self._copy(writing, other, key, waited))

    def _copy(self, writing: Writing, other: Writing, key: Key, waited: Record | None) -> None:
        if not self._is_dropped:
            writing.put_as_in(other, key, waited)

    def _write(self, writing: Writing, record: Record, size: int) -> None:
        is_dropped = self._is_dropped
        if not is_dropped:
            writing.put(record)
        with self._lock:
            self._bytes -= size
            writing.refused += is_dropped
        writing.waiting.pop(record.key, None)

    def touch(self, keys: Sequence[Key], use: Use) -> None:
        """Levels take note that records were used, those that still wait included."""
        self.worker.order(lambda: self._touch(keys, use))

    def _touch(self, keys: Sequence[Key], use: Use) -> None:
        for writing in self._writers:
            writing.touch(keys, use)

    def read(self, key: Key) -> Record | None:
        """A record from the fastest level that has it, or that it is on its way to."""
        found = (writing.get(key) for writing in self._writers)
        return next((record for record in found if record is not None), None)

    def drop(self) -> None:
        """Write nothing of what waits."""
        self._is_dropped = True

    def after_fork(self) -> None:
        self.worker.begin()
        self._begin()
        for writing in self._writers:
            writing.waiting.clear()
