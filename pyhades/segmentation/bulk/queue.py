"""Items on their way between threads, on the native queue."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

from pyhades._native import WorkQueue
from pyhades.errors import CancelledError

T = TypeVar("T")


class ItemQueue(Generic[T]):
    """A bounded queue of Python objects for many producers and many workers.

    Parameters
    ----------
    capacity
        Most items in it.
    most_bytes
        Most bytes that its items hold, from :meth:`put` until :meth:`give_back`; 0 for any number.
    distances
        Between nodes, row by row: workers take from the nearest ring first.
    """

    def __init__(
        self,
        capacity: int,
        most_bytes: int = 0,
        distances: Sequence[Sequence[int]] = ((10,),),
    ) -> None:
        self._native = WorkQueue(capacity, most_bytes, distances)
        self._items: dict[int, T] = {}
        self._numbers = itertools.count()

    def put(self, item: T, nbytes: int = 0, node: int = 0) -> None:
        """Put an item in; wait for room.

        Raises
        ------
        ClosedError, CancelledError
            It takes nothing any more; the item stays with the caller.
        """
        ticket = next(self._numbers)
        self._items[ticket] = item
        try:
            self._native.push(ticket, nbytes, node)
        except BaseException:
            del self._items[ticket]
            raise

    def take(self, node: int = 0) -> Iterator[T]:
        """Items, until the queue is closed and empty, or cancelled."""
        while True:
            try:
                ticket = self._native.pop(node)
            except CancelledError:
                return
            if ticket is None:
                return
            yield self._items.pop(ticket)

    def give_back(self, nbytes: int) -> None:
        """The bytes of an item are needed no longer."""
        self._native.give_back(nbytes)

    def close(self) -> None:
        """Take nothing more; what is inside still comes out."""
        self._native.close()

    def cancel(self) -> list[T]:
        """Take and give nothing any more; what was inside."""
        self._native.cancel()
        return [self._items.pop(ticket) for ticket in self._native.drain()]

    def __len__(self) -> int:
        return len(self._native)

    @property
    def nbytes(self) -> int:
        """Bytes that items hold."""
        return self._native.nbytes

    def __repr__(self) -> str:
        return f"ItemQueue({self._native!r})"
