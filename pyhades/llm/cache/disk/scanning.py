"""What stands in a segment: read from its index, or where it has none from record to record."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from pyhades.llm.cache.disk.framing import (
    FOOTER_BYTES,
    SEGMENT_BYTES,
    NotOurs,
    SegmentHeader,
    crc32,
    unpack_footer,
)
from pyhades.llm.cache.disk.headers import (
    LARGEST_HEADER,
    RECORD_MAGIC,
    Entry,
    Header,
    entries_within,
    peek,
    unpack_header,
)

_STRIDE = 1 << 20
"""Bytes that are looked through at a time for the next record, where one is damaged."""
_USUAL_HEADER = 512


@dataclass
class Contents:
    """What was found in a segment.

    Attributes
    ----------
    entries
        Of its records, which are looked at when they are read.
    end
        Where the last of them ends.
    is_sealed
        Whether an index ends it: nothing is added any more.
    damaged
        Stretches that hold no records, though records follow, and an index that is not right.
    torn
        Bytes after the last record, of a write that did not come to its end.
    """

    head: SegmentHeader
    entries: list[Entry] = field(default_factory=list)
    end: int = SEGMENT_BYTES
    is_sealed: bool = False
    damaged: int = 0
    torn: int = 0

    @property
    def index_bytes(self) -> int:
        """What an index of all that takes."""
        return FOOTER_BYTES + sum(entry.header_bytes for entry in self.entries)


def read_contents(path: Path) -> Contents:
    """What stands in a segment.

    Raises
    ------
    NotOurs
        It is no segment of this layout.
    OSError
        It cannot be read.
    """
    with path.open("rb", buffering=0) as file:
        return contents_of(file.fileno())


def contents_of(descriptor: int) -> Contents:
    """What stands in an open segment; see :func:`read_contents`."""
    size = os.fstat(descriptor).st_size
    contents = Contents(SegmentHeader.unpack(os.pread(descriptor, SEGMENT_BYTES, 0)))
    try:
        contents.entries = _entries_of_index(descriptor, size)
        contents.is_sealed = True
        contents.end = contents.entries[-1].end if contents.entries else SEGMENT_BYTES
    except NotOurs:
        scan(descriptor, contents)
        if contents.torn == contents.index_bytes:
            contents.torn, contents.damaged = 0, contents.damaged + 1  # an index, but not right
    return contents


def scan(descriptor: int, contents: Contents) -> None:
    """Go on from the end of what was found."""
    size = os.fstat(descriptor).st_size
    at = contents.end
    while at < size:
        try:
            entry = _header_at(descriptor, contents.head.seed, at, size).entry
        except NotOurs:
            at = _next_record(descriptor, contents.head.seed, at + 1, size)
            contents.damaged += at < size
            continue
        contents.entries.append(entry)
        at = contents.end = entry.end
    contents.torn = size - contents.end


def read_record(path: Path, seed: int, offset: int, length: int) -> tuple[Header, bytes]:
    """A record and its payload, whose checksums are right.

    Raises
    ------
    NotOurs
        There is no such record at that place.
    OSError
        The file cannot be read; FileNotFoundError where somebody has removed it.
    """
    with path.open("rb", buffering=0) as file:
        data = os.pread(file.fileno(), length, offset)
    header = unpack_header(data, seed, offset)
    payload = data[header.length :]
    if len(payload) != header.payload or crc32(payload) != header.payload_crc:
        raise NotOurs("the payload of a record is damaged")
    return header, payload


def _entries_of_index(descriptor: int, size: int) -> list[Entry]:
    tail = os.pread(descriptor, FOOTER_BYTES, max(size - FOOTER_BYTES, 0))
    at, length, count, crc = unpack_footer(tail, size)
    body = os.pread(descriptor, length, at)
    if crc32(body) != crc:
        raise NotOurs("its index is damaged")
    entries = entries_within(body)
    if len(entries) != count:
        raise NotOurs("its index is damaged")
    return entries


def _header_at(descriptor: int, seed: int, at: int, size: int) -> Header:
    data = os.pread(descriptor, _USUAL_HEADER, at)
    length, _, payload = peek(data)
    if at + length + payload > size:
        raise NotOurs("a record ends beyond the file")
    if length > len(data):
        data = os.pread(descriptor, length, at)
    return unpack_header(data, seed, at)


def _next_record(descriptor: int, seed: int, at: int, size: int) -> int:
    """Where the next record begins; the size of the file where none does."""
    while at < size:
        data = os.pread(descriptor, _STRIDE, at)
        found = data.find(RECORD_MAGIC)
        while found >= 0:
            try:
                _header_at(descriptor, seed, at + found, size)
                return at + found
            except NotOurs:
                found = data.find(RECORD_MAGIC, found + 1)
        at += max(len(data) - len(RECORD_MAGIC) + 1, 1)
    return size


assert LARGEST_HEADER < _STRIDE
