"""What is read from the levels below the pool, in order, while others work."""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Callable, Sequence

from pyhades.llm.cache.records import Key, Record
from pyhades.llm.cache.worker import Worker

HELD_BYTES = 32 << 20
"""What a fetch has read and nobody has taken; then it waits."""
BATCH_BYTES = 4 << 20
"""What is read of one fetch before it is the turn of the next."""


class Fetch:
    """Records that are being read; made by :meth:`~pyhades.llm.cache.levels.Levels.fetch`.

    Attributes
    ----------
    keys
        What is read, in this order, up to the first that cannot be had.
    """

    def __init__(self, keys: Sequence[Key], go_on: Callable[[Fetch], object]) -> None:
        self.keys = tuple(keys)
        self._go_on = go_on
        self._came: deque[Record] = deque()
        self._next = 0
        self._has_ended = not self.keys
        self._is_cancelled = False
        self.begin_life()

    def begin_life(self) -> None:
        """Also in a forked child, where another thread may have held the lock."""
        self._lock = threading.Lock()
        self._held = 0
        self._is_waiting = False

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come, and everything that came was taken."""
        return self._is_cancelled or (self._has_ended and not self._came)

    def taken(self) -> list[Record]:
        """What has come since it was last asked, in order."""
        if self._is_cancelled:
            return []
        with self._lock:
            records = list(self._came)
            self._came.clear()
            self._held = 0
            goes_on, self._is_waiting = self._is_waiting, False
        if goes_on:
            self._go_on(self)
        return records

    def cancel(self) -> None:
        """Want nothing more of it; without the lock, since a destructor may do so anywhere."""
        self._is_cancelled = self._has_ended = True
        self._came.clear()

    def __repr__(self) -> str:
        state = "over" if self.is_over else "ended" if self._has_ended else "in work"
        return f"Fetch({self._next} of {len(self.keys)} records, {state})"

    # What the thread does.

    def read_batch(self, read: Callable[[Key], Record | None]) -> bool:
        """Read some records; whether there are more, and room for them."""
        size = 0
        while size < BATCH_BYTES and not self._has_ended:
            record = read(self.keys[self._next])
            size += 0 if record is None else record.nbytes
            self._add(record)
        with self._lock:
            self._is_waiting = not self._has_ended and self._held >= HELD_BYTES
            return not self._has_ended and not self._is_waiting

    def _add(self, record: Record | None) -> None:
        with self._lock:
            if record is None or self._has_ended:  # by cancel, while it was read
                self._has_ended = True
                return
            self._came.append(record)
            self._held += record.nbytes
            self._next += 1
            self._has_ended = self._next == len(self.keys)


class Fetcher:
    """Serves fetches, a batch of each in turn.

    Parameters
    ----------
    read
        A record from wherever it is; None where it cannot be had.
    woken
        Called whenever something came, or a fetch has ended.
    """

    def __init__(
        self, read: Callable[[Key], Record | None], woken: Callable[[], object], *, inline: bool
    ) -> None:
        self._read = read
        self._woken = woken
        self.worker = Worker("pyhades cache reader", inline=inline)
        self._fetches: weakref.WeakSet[Fetch] = weakref.WeakSet()

    def fetch(self, keys: Sequence[Key]) -> Fetch:
        """Begin to read; whoever drops the fetch wants nothing more of it."""
        fetch = Fetch(keys, self._go_on)
        if fetch.keys:
            self._fetches.add(fetch)
            self._go_on(fetch)
        return fetch

    def _go_on(self, fetch: Fetch) -> None:
        of_fetch = weakref.ref(fetch)
        self.worker.order(lambda: self._turn(of_fetch))

    def _turn(self, of_fetch: weakref.ref[Fetch]) -> None:
        fetch = of_fetch()
        if fetch is None:
            return
        try:
            if fetch.read_batch(self._read):
                self._go_on(fetch)  # behind the others
        except Exception:
            fetch.cancel()
            raise
        finally:
            self._woken()

    def end(self) -> None:
        """End every fetch, and the thread; a destructor may call it."""
        for fetch in list(self._fetches):
            fetch.cancel()
        self.worker.end()

    def after_fork(self) -> None:
        """In a forked child: what was being read comes no more."""
        self.worker.begin()
        for fetch in list(self._fetches):
            fetch.begin_life()
            fetch.cancel()
