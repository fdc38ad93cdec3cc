"""How a segment begins and ends, byte by byte: docs/reference/cache_files.md.

Everything is little-endian. Checksums of a segment begin with a number of its own, so that
nothing of another file, and nothing that somebody has a model read, passes for a record.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from isal import isal_zlib

LAYOUT = 1
"""Version of everything below; files of others are left unread."""
SEGMENT_MAGIC = b"\x89HADESkv"
FOOTER_MAGIC = b"hKVindex"

Shapes = Mapping[str, tuple[int, int]]
"""Per kind of layer how many layers there are, and the bytes of a block of one of them."""

_SEGMENT = struct.Struct("<8sIQdI16s")
_FOOTER = struct.Struct("<8sQQII")
CRC = struct.Struct("<I")
SEGMENT_BYTES = _SEGMENT.size + CRC.size
FOOTER_BYTES = _FOOTER.size + CRC.size


class NotOurs(Exception):
    """Bytes that are not what they should be; the text says how."""


class Torn(NotOurs):
    """A file that was not written far enough to be a segment."""


def crc32(data: bytes | bytearray | memoryview, start: int = 0) -> int:
    """CRC-32 of bytes, after others."""
    return int(isal_zlib.crc32(data, start))


def shapes_digest(shapes: Shapes) -> bytes:
    """16 bytes that tell shapes from others."""
    told = repr(sorted((kind, *map(int, shape)) for kind, shape in shapes.items()))
    return sha256(told.encode("utf-8", "surrogatepass")).digest()[:16]


@dataclass(frozen=True)
class SegmentHeader:
    """What a segment begins with.

    Attributes
    ----------
    room
        Bytes that it may grow to: counted as taken as long as somebody writes it.
    made
        Seconds since the epoch.
    seed
        What its checksums begin with.
    shapes
        See :func:`shapes_digest`.
    """

    room: int
    made: float
    seed: int
    shapes: bytes

    def pack(self) -> bytes:
        """As bytes, with their checksum."""
        values = (SEGMENT_MAGIC, LAYOUT, self.room, self.made, self.seed, self.shapes)
        return with_crc(_SEGMENT.pack(*values), 0)

    @classmethod
    def unpack(cls, data: bytes) -> SegmentHeader:
        """From the first bytes of a file; NotOurs or Torn where they are none, or too few."""
        if len(data) < SEGMENT_BYTES:
            if SEGMENT_MAGIC.startswith(data[: len(SEGMENT_MAGIC)]):
                raise Torn("it is empty" if not data else "it ends within its header")
            raise NotOurs("it is no segment of a cache")
        magic, layout, room, made, seed, shapes = _SEGMENT.unpack_from(data)
        if magic != SEGMENT_MAGIC:
            raise NotOurs("it is no segment of a cache")
        if not crc_is_right(data[:SEGMENT_BYTES], 0):
            raise NotOurs("its header is damaged")
        if layout != LAYOUT:
            raise NotOurs(f"it has layout {layout}, and this version reads {LAYOUT}")
        return cls(room, made, seed, shapes)


def pack_footer(headers: Sequence[bytes], at: int) -> bytes:
    """The index that ends a sealed segment: the headers once more, and where they begin."""
    body = b"".join(headers)
    return body + with_crc(_FOOTER.pack(FOOTER_MAGIC, at, len(body), len(headers), crc32(body)), 0)


def unpack_footer(data: bytes, size: int) -> tuple[int, int, int, int]:
    """Where the index of a file of ``size`` bytes begins, its length, count and checksum."""
    if len(data) != FOOTER_BYTES or not crc_is_right(data, 0):
        raise NotOurs("it has no index at its end")
    magic, at, length, count, crc = _FOOTER.unpack_from(data)
    if magic != FOOTER_MAGIC or at + length + FOOTER_BYTES != size:
        raise NotOurs("it has no index at its end")
    return at, length, count, crc


def with_crc(data: bytes, seed: int) -> bytes:
    """Bytes with their checksum, which begins with that of others."""
    return data + CRC.pack(crc32(data, seed))


def crc_is_right(data: bytes, seed: int) -> bool:
    """Whether bytes end with their checksum."""
    body = memoryview(data)[: -CRC.size]
    return bool(CRC.unpack_from(data, len(data) - CRC.size)[0] == crc32(body, seed))
