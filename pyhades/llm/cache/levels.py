"""The levels below the pool as one: what goes down to them, and what comes back.

Two threads do what takes time, so that whoever runs the model never waits: one writes, from a queue
of bounded size, and one reads. What the queue has no room for is not kept; what cannot be read is
computed again. Both are counted.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace

from pyhades.llm.cache.fetch import Fetch, Fetcher
from pyhades.llm.cache.policies import Use
from pyhades.llm.cache.records import Key, Level, LevelCounts, Record
from pyhades.llm.cache.writing import QUEUE_BYTES, Queue, Writing

CLOSE_SECONDS = 30.0
"""How long closing waits for what is still to be written."""

__all__ = ["Fetch", "Levels"]

log = logging.getLogger(__name__)


class Levels:
    """Levels, the fastest first.

    Parameters
    ----------
    levels
        They belong to it from now on: it closes them.
    queue_bytes
        What may wait to be written.
    inline
        Whether everything is done in the caller's thread, as tests and simulations want it.

    Attributes
    ----------
    wake
        Called by the reading thread whenever something came.

    Examples
    --------
    >>> from pyhades.llm.cache.codec import codec_of
    >>> from pyhades.llm.cache.levels import Levels
    >>> from pyhades.llm.cache.memory import MemoryLevel
    >>> levels = Levels([MemoryLevel(1 << 20, codec=codec_of("bf16"))])
    >>> levels.fetch([]).is_over
    True
    >>> levels.close()
    """

    def __init__(
        self, levels: Sequence[Level], *, queue_bytes: int = QUEUE_BYTES, inline: bool = False
    ) -> None:
        self.wake: Callable[[], object] = _nothing
        self._levels = tuple(levels)
        self._writers = [Writing(level) for level in levels]
        self._outliving = [writing for writing in self._writers if writing.outlives]
        self._below_pool = [writing for writing in self._writers if not writing.outlives][:1]
        self._queue = Queue(self._writers, queue_bytes, inline=inline)
        # The threads must not hold this object, or nobody could let go of it.
        woken = weakref.WeakMethod(self._woken)
        self._fetcher = Fetcher(self._queue.read, lambda: _call(woken), inline=inline)
        self._is_closed = False
        self._ends = [weakref.finalize(self, of.end) for of in (self._fetcher, self._queue.worker)]
        _ALL.add(self)

    def _woken(self) -> None:
        self.wake()

    @property
    def writing_thread(self) -> threading.Thread | None:
        """Whoever wants to know what it takes; None before there was anything to write."""
        return self._queue.worker.thread

    def has(self, key: Key) -> bool:
        """Whether a record is on any level, or on its way to one."""
        return any(writing.has(key) for writing in self._writers)

    def would_write(self, key: Key) -> bool:
        """Whether :meth:`write_through` would do anything: ask before copying contents."""
        return not all(writing.has(key) for writing in self._outliving)

    def would_take(self, key: Key) -> bool:
        """Whether :meth:`take_down` would do anything: ask before copying contents."""
        return not all(writing.has(key) for writing in self._below_pool)

    def write_through(self, record: Record) -> None:
        """Have a record kept by every level that outlives the process; returns at once."""
        for writing in self._outliving:
            self._put(writing, record)

    def take_down(self, record: Record) -> None:
        """Have the first level keep it that does not outlive the process; returns at once.

        For what the pool gives up.
        """
        for writing in self._below_pool:
            self._put(writing, record)

    def copy_down(self, key: Key) -> bool:
        """Like :meth:`take_down`, of what a level that outlives the process has; whether one does.

        It is neither copied from the pool nor encoded once more.
        """
        source = next((writing for writing in self._outliving if writing.has(key)), None)
        if source is None or self._is_closed:
            return False
        for writing in self._below_pool:
            self._queue.copy(writing, source, key)
        return True

    def _put(self, writing: Writing, record: Record) -> None:
        if not self._is_closed and not writing.has(record.key):
            self._queue.put(writing, record)

    def fetch(self, keys: Sequence[Key]) -> Fetch:
        """Have records read in order by a thread; one that cannot be had ends it.

        At most :data:`~pyhades.llm.cache.fetch.HELD_BYTES` that were not taken are held.
        """
        return self._fetcher.fetch(() if self._is_closed else keys)

    def touch(self, keys: Sequence[Key], use: Use) -> None:
        """Records were used again, here or in the pool: those levels that have them take note."""
        if self._is_closed or not self._levels or not keys:
            return
        self._queue.touch(tuple(keys), replace(use))

    def counts(self) -> tuple[LevelCounts, ...]:
        """What each level holds and has done; what did not reach it is counted as skipped."""
        return tuple(writing.counts() for writing in self._writers)

    def flush(self, seconds: float) -> bool:
        """Wait until everything is written that waits so far; whether it is."""
        return self._queue.worker.flush(seconds)

    def close(self) -> None:
        """Write what waits, for as long as half a minute, and close the levels."""
        if self._is_closed:
            return
        self._is_closed = True
        _ALL.discard(self)
        for end in self._ends:
            end()
        has_ended = self._fetcher.worker.join(CLOSE_SECONDS)
        if not self._queue.worker.join(CLOSE_SECONDS):
            self._queue.drop()
            has_ended &= self._queue.worker.join(CLOSE_SECONDS)
        if not has_ended:  # a level that hangs would hang here, too
            log.warning("a level of the cache does not answer, and is left as it is")
            return
        for writing in self._writers:
            writing.close()

    def after_fork(self) -> None:
        """In a forked child: the threads are gone, and what waited belongs to the parent."""
        self._queue.after_fork()
        self._fetcher.after_fork()

    def __repr__(self) -> str:
        return f"Levels({', '.join(map(repr, self._levels))})"


def _call(method: weakref.WeakMethod[Callable[[], None]]) -> None:
    call = method()
    if call is not None:
        call()


def _nothing() -> None:
    """Nobody waits for what comes."""


_ALL: weakref.WeakSet[Levels] = weakref.WeakSet()


def _close_all() -> None:
    """Before the interpreter goes, write what waits."""
    for levels in list(_ALL):
        levels.close()


def _after_fork() -> None:
    for levels in list(_ALL):
        levels.after_fork()


atexit.register(_close_all)
os.register_at_fork(after_in_child=_after_fork)
