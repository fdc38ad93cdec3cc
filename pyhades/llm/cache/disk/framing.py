"""How segments and records look in a file, byte by byte: docs/reference/cache_files.md.

Everything is little-endian. Checksums of a segment begin with a number of its own, so that
nothing of another file, and nothing that somebody has a model read, passes for a record.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from isal import isal_zlib

from pyhades.llm.cache.policies import Purpose, Use
from pyhades.llm.cache.records import Key, Part

LAYOUT = 1
"""Version of everything below; files of others are left unread."""
SEGMENT_MAGIC = b"\x89HADESkv"
RECORD_MAGIC = b"hKVr"
FOOTER_MAGIC = b"hKVindex"

Shapes = Mapping[str, tuple[int, int]]
"""Per kind of layer how many layers there are, and the bytes of a block of one of them."""

_SEGMENT = struct.Struct("<8sIQdI16s")
_RECORD = struct.Struct("<4sIQQIQBBHIIddBBHBB")
_KIND = struct.Struct("<BIIIQ")
_FOOTER = struct.Struct("<8sQQII")
_CRC = struct.Struct("<I")
SEGMENT_BYTES = _SEGMENT.size + _CRC.size
FOOTER_BYTES = _FOOTER.size + _CRC.size
SMALLEST_HEADER = _RECORD.size + _CRC.size
LARGEST_HEADER = 1 << 16
"""Nothing is read that claims to be longer."""


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
        return _with_crc(_SEGMENT.pack(*values), 0)

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
        if not _crc_is_right(data[:SEGMENT_BYTES], 0):
            raise NotOurs("its header is damaged")
        if layout != LAYOUT:
            raise NotOurs(f"it has layout {layout}, and this version reads {LAYOUT}")
        return cls(room, made, seed, shapes)


class Piece(NamedTuple):
    """The contents of one kind of layer within a payload: their shape, and bytes they take."""

    kind: str
    shape: tuple[int, int, int]
    length: int


@dataclass(slots=True)
class Header:
    """What stands before the payload of a record.

    Attributes
    ----------
    offset
        Of the record in its segment: a copy at another place is no record.
    length
        Bytes of the header itself.
    payload, payload_crc
        Bytes that follow, and their checksum.
    raw_bytes
        What the contents take when they are decoded.
    """

    offset: int
    length: int
    payload: int
    payload_crc: int
    raw_bytes: int
    key: Key
    parent: bytes
    tokens: bytes
    codec: str
    use: Use
    pieces: tuple[Piece, ...]

    @property
    def end(self) -> int:
        """Where the record ends in its segment."""
        return self.offset + self.length + self.payload

    def pack(self, seed: int) -> bytes:
        """As bytes, with their checksum."""
        use, codec = self.use, self.codec.encode()
        variable = b"".join((self.key.digest, self.parent, self.tokens, codec, *_kinds(self)))
        self.length = SMALLEST_HEADER + len(variable)
        fixed = _RECORD.pack(
            RECORD_MAGIC, self.length, self.offset, self.payload, self.payload_crc, self.raw_bytes,
            self.key.part, use.purpose, 0, use.count, use.depth, use.last, use.first,
            len(self.key.digest), len(self.parent), len(self.tokens), len(codec), len(self.pieces),
        )  # fmt: skip
        return _with_crc(fixed + variable, seed)


def peek(data: bytes | memoryview, at: int = 0) -> tuple[int, int, int]:
    """Length, offset and payload that a header claims, unchecked; NotOurs where there is none."""
    if len(data) - at < SMALLEST_HEADER:
        raise NotOurs("it ends within the header of a record")
    magic, length, offset, payload, *_ = _RECORD.unpack_from(data, at)
    if magic != RECORD_MAGIC or not SMALLEST_HEADER <= length <= LARGEST_HEADER:
        raise NotOurs("the header of a record is damaged")
    return length, offset, payload


def unpack_header(data: bytes, seed: int, offset: int) -> Header:
    """The header of a record that lies at ``offset``; NotOurs where it is damaged."""
    length, claimed, _ = peek(data)
    if claimed != offset or len(data) < length or not _crc_is_right(data[:length], seed):
        raise NotOurs("the header of a record is damaged")
    return checked_header(data)


def checked_header(data: bytes | memoryview, at: int = 0) -> Header:
    """A header whose checksum, or that of the index which it is part of, was found right."""
    (
        _, length, offset, payload, payload_crc, raw_bytes, part, purpose, _, count, depth, last,
        first, digest_length, parent_length, tokens_length, codec_length, kinds,
    ) = _RECORD.unpack_from(data, at)  # fmt: skip
    reader = _Reader(data, at + _RECORD.size)
    try:
        key = Key(reader.take(digest_length), Part(part))
        use = Use(last, count, depth, Purpose(purpose), first)
        parent, tokens = reader.take(parent_length), reader.take(tokens_length)
        codec = reader.take(codec_length).decode()
        pieces = tuple(reader.piece() for _ in range(kinds))
    except (ValueError, struct.error) as error:  # of a later version that knows more
        raise NotOurs(f"the header of a record is not understood: {error}") from error
    return Header(
        offset, length, payload, payload_crc, raw_bytes, key, parent, tokens, codec, use, pieces
    )


def pack_footer(headers: Sequence[bytes], at: int) -> bytes:
    """The index that ends a sealed segment: the headers once more, and where they begin."""
    body = b"".join(headers)
    return body + _with_crc(_FOOTER.pack(FOOTER_MAGIC, at, len(body), len(headers), crc32(body)), 0)


def unpack_footer(data: bytes, size: int) -> tuple[int, int, int, int]:
    """Where the index of a file of ``size`` bytes begins, its length, count and checksum."""
    if len(data) != FOOTER_BYTES or not _crc_is_right(data, 0):
        raise NotOurs("it has no index at its end")
    magic, at, length, count, crc = _FOOTER.unpack_from(data)
    if magic != FOOTER_MAGIC or at + length + FOOTER_BYTES != size:
        raise NotOurs("it has no index at its end")
    return at, length, count, crc


class _Reader:
    """Takes bytes of a header one after the other."""

    def __init__(self, data: bytes | memoryview, at: int) -> None:
        self.data = data
        self.at = at

    def take(self, length: int) -> bytes:
        self.at += length
        return bytes(self.data[self.at - length : self.at])

    def piece(self) -> Piece:
        name, layers, blocks, block_bytes, length = _KIND.unpack_from(self.data, self.at)
        self.at += _KIND.size
        return Piece(self.take(name).decode(), (layers, blocks, block_bytes), length)


def _kinds(header: Header) -> list[bytes]:
    found = []
    for kind, shape, length in header.pieces:
        name = kind.encode()
        found.append(_KIND.pack(len(name), *shape, length) + name)
    return found


def _with_crc(data: bytes, seed: int) -> bytes:
    return data + _CRC.pack(crc32(data, seed))


def _crc_is_right(data: bytes, seed: int) -> bool:
    body = memoryview(data)[: -_CRC.size]
    return bool(_CRC.unpack_from(data, len(data) - _CRC.size)[0] == crc32(body, seed))
