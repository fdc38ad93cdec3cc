"""What stands before the contents of a record, byte by byte: docs/reference/cache_files.md."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import NamedTuple

from pyhades.llm.cache.disk.framing import CRC, NotOurs, crc_is_right, with_crc
from pyhades.llm.cache.policies import Purpose, Use
from pyhades.llm.cache.records import Key, Part

RECORD_MAGIC = b"hKVr"
PARTS = tuple(Part)
PURPOSES = tuple(Purpose)

_RECORD = struct.Struct("<4sIQQIQBBHIIddBBHBB")
_KIND = struct.Struct("<BIIIQ")
SMALLEST_HEADER = _RECORD.size + CRC.size
LARGEST_HEADER = 1 << 16
"""Nothing is read that claims to be longer."""


class Entry(NamedTuple):
    """What the index needs to know of a record.

    Attributes
    ----------
    offset, header_bytes, length
        Where it lies in its segment, and the bytes of its header and of all of it.
    is_uses
        See :class:`Header`.
    """

    key: Key
    offset: int
    header_bytes: int
    length: int
    raw_bytes: int
    use: Use
    is_uses: bool

    @property
    def end(self) -> int:
        """Where it ends in its segment."""
        return self.offset + self.length


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
    is_uses
        Whether there are no contents, but how other records were used.
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
    is_uses: bool = False

    @property
    def entry(self) -> Entry:
        """What the index needs to know of it."""
        length = self.length + self.payload
        return Entry(
            self.key, self.offset, self.length, length, self.raw_bytes, self.use, self.is_uses
        )

    def pack(self, seed: int) -> bytes:
        """As bytes, with their checksum."""
        use, codec = self.use, self.codec.encode()
        variable = b"".join((self.key.digest, self.parent, self.tokens, codec, *_kinds(self)))
        self.length = SMALLEST_HEADER + len(variable)
        fixed = _RECORD.pack(
            RECORD_MAGIC, self.length, self.offset, self.payload, self.payload_crc, self.raw_bytes,
            self.key.part, use.purpose, self.is_uses, use.count, use.depth, use.last, use.first,
            len(self.key.digest), len(self.parent), len(self.tokens), len(codec), len(self.pieces),
        )  # fmt: skip
        return with_crc(fixed + variable, seed)


def peek(data: bytes, at: int = 0) -> tuple[int, int, int]:
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
    if claimed != offset or len(data) < length or not crc_is_right(data[:length], seed):
        raise NotOurs("the header of a record is damaged")
    return _checked_header(data)


def _checked_header(data: bytes, at: int = 0) -> Header:
    (
        _, length, offset, payload, payload_crc, raw_bytes, part, purpose, is_uses, count, depth,
        last, first, digest_length, parent_length, tokens_length, codec_length, kinds,
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
        offset,
        length,
        payload,
        payload_crc,
        raw_bytes,
        key,
        parent,
        tokens,
        codec,
        use,
        pieces,
        bool(is_uses),
    )


def entries_within(body: bytes) -> list[Entry]:
    """What an index says of its records, in as little time as possible; its checksum was right.

    Raises
    ------
    NotOurs
        It is of a later version that knows more.
    """
    entries, at, fixed = [], 0, _RECORD.size
    try:
        while at < len(body):
            (
                _, header_bytes, offset, payload, _, raw_bytes, part, purpose, is_uses, count,
                depth, last, first, digest_length, _, _, _, _,
            ) = _RECORD.unpack_from(body, at)  # fmt: skip
            key = Key(body[at + fixed : at + fixed + digest_length], PARTS[part])
            use = Use(last, count, depth, PURPOSES[purpose], first)
            length = header_bytes + payload
            entries.append(Entry(key, offset, header_bytes, length, raw_bytes, use, is_uses > 0))
            at += header_bytes
    except (IndexError, struct.error) as error:
        raise NotOurs(f"its index is not understood: {error}") from error
    return entries


class _Reader:
    """Takes bytes of a header one after the other."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data = data
        self.at = at

    def take(self, length: int) -> bytes:
        self.at += length
        return self.data[self.at - length : self.at]

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
