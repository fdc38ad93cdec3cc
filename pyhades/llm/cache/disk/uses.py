"""How records were used since they were written: a record of its own, to outlive the process."""

from __future__ import annotations

import math
import struct
import time
from collections.abc import Iterable, Iterator, Sequence

from pyhades.llm.cache.disk.framing import NotOurs, crc32
from pyhades.llm.cache.disk.headers import Header
from pyhades.llm.cache.disk.index import Index
from pyhades.llm.cache.policies import Purpose, Use
from pyhades.llm.cache.records import Key, Part

EVERY = 60.0
"""Seconds between two such records."""
MOST = 4096
"""Of one such record; the rest is told by another."""
USES = Key(b"", Part.BLOCK)
"""The name of such records, which is that of no text."""
_ENTRY = struct.Struct("<BBBId")


class Uses:
    """Takes note of uses, and which of them have not been written down."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._touched: set[Key] = set()
        self._told = time.monotonic()

    @property
    def are_due(self) -> bool:
        """Whether some should be written down."""
        return bool(self._touched) and time.monotonic() - self._told > EVERY

    def touch(self, keys: Sequence[Key], use: Use) -> None:
        """Records were used again."""
        for key in keys:
            place = self._index.places.get(key)
            if place is not None:
                place.use.last = max(place.use.last, use.last)
                place.use.purpose = use.purpose
                place.use.count += 1
                self._touched.add(key)

    def after_fork(self) -> None:
        """In a child: the parent tells what was used before."""
        self._touched.clear()

    def records(self, now: float) -> Iterator[tuple[Header, list[bytes]]]:
        """Records that tell what was used since that was last done."""
        self._told = time.monotonic()
        keys = [self._touched.pop() for _ in range(len(self._touched))]
        for first in range(0, len(keys), MOST):
            yield _record(self._index, keys[first : first + MOST], now)


def apply_uses(index: Index, payload: bytes, now: float = math.inf) -> None:
    """Take over what such a record tells; the latest use counts, whoever told it.

    None was later than ``now``.
    """
    for key, use in _unpacked(payload):
        place = index.places.get(key)
        if place is not None:
            if min(use.last, now) > place.use.last:
                place.use.last, place.use.purpose = min(use.last, now), use.purpose
            place.use.count = max(place.use.count, use.count)


def _record(index: Index, keys: Iterable[Key], now: float) -> tuple[Header, list[bytes]]:
    places = [(key, index.places.get(key)) for key in keys]
    data = b"".join(_packed(key, place.use) for key, place in places if place is not None)
    use = Use(now, first=now)
    header = Header(0, 0, len(data), crc32(data), 0, USES, b"", b"", "", use, (), is_uses=True)
    header.pack(0)  # so that its length is known
    return header, [data]


def _packed(key: Key, use: Use) -> bytes:
    fixed = _ENTRY.pack(len(key.digest), key.part, use.purpose, use.count, use.last)
    return fixed + key.digest


def _unpacked(data: bytes) -> Iterator[tuple[Key, Use]]:
    at = 0
    try:
        while at < len(data):
            length, part, purpose, count, last = _ENTRY.unpack_from(data, at)
            at += _ENTRY.size + length
            yield Key(data[at - length : at], Part(part)), Use(last, count, 0, Purpose(purpose))
    except (ValueError, struct.error) as error:
        raise NotOurs(f"a record of uses is not understood: {error}") from error
