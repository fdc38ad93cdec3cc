"""A dict that forgets."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Generic, TypeVar

T = TypeVar("T")


class Bounded(Generic[T]):
    """A dict of the most recent things, each of which belongs to a client.

    Nobody finds what is somebody else's. Any thread may use it.

    Parameters
    ----------
    most
        Things that there can be.
    most_bytes
        Of all of them together; None for as many as there are.
    """

    def __init__(self, most: int, most_bytes: int | None = None) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._items: OrderedDict[tuple[str, str], tuple[T, int]] = OrderedDict()
        self._lock = threading.Lock()
        self.bytes = 0
        """Of what is remembered, as far as it was told."""

    def put(self, client: str, key: str, item: T, size: int = 0) -> None:
        """Remember something of so many bytes; what was used longest ago is forgotten for it."""
        with self._lock:
            self._forget((client, key))
            self._items[client, key] = item, size
            self.bytes += size
            while self._items and self._is_too_much():
                self._forget(next(iter(self._items)))

    def get(self, client: str, key: str) -> T | None:
        """What is known under a key."""
        with self._lock:
            if (client, key) not in self._items:
                return None
            self._items.move_to_end((client, key))
            return self._items[client, key][0]

    def pop(self, client: str, key: str) -> T | None:
        """Forget something; what it was."""
        with self._lock:
            return self._forget((client, key))

    def of(self, client: str) -> list[T]:
        """What belongs to a client, the most recent first."""
        with self._lock:
            items = reversed(self._items.items())
            return [item for (owner, _), (item, _) in items if owner == client]

    def _forget(self, key: tuple[str, str]) -> T | None:
        item, size = self._items.pop(key, (None, 0))
        self.bytes -= size
        return item

    def _is_too_much(self) -> bool:
        is_heavy = self._most_bytes is not None and self.bytes > self._most_bytes
        return is_heavy or len(self._items) > self._most

    def __len__(self) -> int:
        return len(self._items)
