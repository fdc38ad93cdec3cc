"""How records were used since they were written: a record of its own, to outlive the process."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from pyhades.llm.cache.disk.framing import Header, NotOurs, crc32
from pyhades.llm.cache.disk.index import Index
from pyhades.llm.cache.policies import Purpose, Use
from pyhades.llm.cache.records import Key, Part

CODEC = "uses"
"""Stands where the codec of contents is named."""
EVERY = 60.0
"""Seconds between two such records."""
MOST = 4096
"""Of one such record; what was used after that is written next time."""
_NAME = Key(b"", Part.BLOCK)
"""Of no text."""
_ENTRY = struct.Struct("<BBBId")


def is_uses(header: Header) -> bool:
    """Whether a record tells how others were used."""
    return header.codec == CODEC


def uses_record(index: Index, keys: Iterable[Key], now: float) -> tuple[Header, list[bytes]]:
    """The record that tells how others were used; those that are gone are left out."""
    places = [(key, index.places.get(key)) for key in keys]
    data = b"".join(_packed(key, place.use) for key, place in places if place is not None)
    header = Header(
        0, 0, len(data), crc32(data), 0, _NAME, b"", b"", CODEC, Use(now, first=now), ()
    )
    header.pack(0)  # so that its length is known
    return header, [data]


def apply_uses(index: Index, payload: bytes) -> None:
    """Take over what such a record tells; the latest use counts, whoever told it."""
    for key, use in _unpacked(payload):
        place = index.places.get(key)
        if place is not None:
            if use.last > place.use.last:
                place.use.last, place.use.purpose = use.last, use.purpose
            place.use.count = max(place.use.count, use.count)


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
