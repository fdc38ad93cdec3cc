"""A bounded queue from the engine to one reader, who is a thread or an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

T = TypeVar("T")
Future = asyncio.Future[None]


class Wakings:
    """Readers on event loops who are to be woken: one call per loop, for all of them together.

    A loop is woken through a pipe, which costs more than all else that a step has to do for a
    reader.
    """

    def __init__(self) -> None:
        self._sleepers: dict[asyncio.AbstractEventLoop, list[Future]] = {}

    def add(self, sleeper: Future) -> None:
        """Wake this reader, too."""
        self._sleepers.setdefault(sleeper.get_loop(), []).append(sleeper)

    def send(self) -> None:
        """Wake all of them."""
        for loop, sleepers in self._sleepers.items():
            try:
                loop.call_soon_threadsafe(_wake, sleepers)
            except RuntimeError:  # the loop is closed, and nobody sleeps there any more
                continue
        self._sleepers.clear()


def _wake(sleepers: Iterable[Future]) -> None:
    for sleeper in sleepers:
        if not sleeper.done():
            sleeper.set_result(None)


class Mailbox(Generic[T]):
    """Items on their way to their reader, and in the end why no more will come.

    Nothing is ever lost for want of room: :attr:`is_full` asks the writer to stop for a while.

    Parameters
    ----------
    room
        Items beyond which it is full.
    on_room
        Called by the reader who has emptied a full box to half, so that the writer may go on.
    """

    def __init__(self, room: int, on_room: Callable[[], object]) -> None:
        self._room = room
        self._on_room = on_room
        self._items: deque[T] = deque()
        self._changed = threading.Condition(threading.Lock())
        self._sleepers: list[Future] = []
        self._ended = False
        self._error: BaseException | None = None
        self._was_full = False

    @property
    def is_full(self) -> bool:
        """Whether the reader has fallen behind."""
        with self._changed:
            self._was_full = self._was_full or len(self._items) >= self._room
            return self._was_full

    @property
    def is_over(self) -> bool:
        """Whether everything has been read."""
        return self._ended and not self._items

    def put(self, items: Iterable[T], wakings: Wakings) -> None:
        """Add items; a reader on an event loop is left to ``wakings``."""
        with self._changed:
            if not self._ended:
                self._items.extend(items)
            self._notify(wakings)

    def end(self, error: BaseException | None, wakings: Wakings, *, now: bool = False) -> None:
        """Say that nothing will follow, and why; ``now`` drops what has not been read."""
        with self._changed:
            if now:
                self._items.clear()
            if not self._ended:
                self._ended, self._error = True, error
            self._notify(wakings)

    def get(self) -> T | None:
        """The next item, waiting for it; None at the end.

        Raises
        ------
        Exception
            The end is an error.
        """
        with self._changed:
            while not self._items and not self._ended:
                self._changed.wait()
            item, is_room_again = self._take()
        return self._after(item, is_room_again)

    async def aget(self) -> T | None:
        """As :meth:`get`, for ``await``."""
        while True:
            with self._changed:
                if self._items or self._ended:
                    item, is_room_again = self._take()
                    break
                sleeper = asyncio.get_running_loop().create_future()
                self._sleepers.append(sleeper)
            await sleeper
        return self._after(item, is_room_again)

    def abandon(self, error: BaseException) -> None:
        """In a forked child: nothing will come, and whoever held the lock is gone."""
        self._changed = threading.Condition(threading.Lock())
        self._sleepers.clear()
        self._items.clear()
        self._ended, self._error = True, error

    def _take(self) -> tuple[T | None, bool]:
        """The next item, and whether the box was full and is not any more."""
        if not self._items:
            return None, False
        item = self._items.popleft()
        is_room_again = self._was_full and len(self._items) <= self._room // 2
        if is_room_again:
            self._was_full = False
        return item, is_room_again

    def _after(self, item: T | None, is_room_again: bool) -> T | None:
        """What taking an item brings about, once no lock is held."""
        if is_room_again:
            self._on_room()
        if item is None and self._error is not None:
            raise self._error.with_traceback(None)
        return item

    def _notify(self, wakings: Wakings) -> None:
        self._changed.notify_all()
        for sleeper in self._sleepers:
            wakings.add(sleeper)
        self._sleepers.clear()
