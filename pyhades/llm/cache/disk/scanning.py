"""What stands in a segment: read from its index, or where it has none from record to record."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pyhades.llm.cache.disk.framing import (
    FOOTER_BYTES,
    LARGEST_HEADER,
    RECORD_MAGIC,
    SEGMENT_BYTES,
    Header,
    NotOurs,
    SegmentHeader,
    checked_header,
    crc32,
    peek,
    unpack_footer,
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
    headers
        Of its records; payloads are looked at when they are read.
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
    headers: list[Header] = field(default_factory=list)
    end: int = SEGMENT_BYTES
    is_sealed: bool = False
    damaged: int = 0
    torn: int = 0


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
        contents.headers = _headers_of_index(descriptor, size)
        contents.is_sealed = True
        contents.end = max((header.end for header in contents.headers), default=SEGMENT_BYTES)
    except NotOurs:
        scan(descriptor, contents)
        if contents.torn == FOOTER_BYTES + sum(header.length for header in contents.headers):
            contents.torn, contents.damaged = 0, contents.damaged + 1  # an index, but not right
    return contents


def scan(descriptor: int, contents: Contents) -> int:
    """Go on from the end of what was found; the number of records that came."""
    size = os.fstat(descriptor).st_size
    before, at = len(contents.headers), contents.end
    while at < size:
        try:
            header = _header_at(descriptor, contents.head.seed, at, size)
        except NotOurs:
            at = _next_record(descriptor, contents.head.seed, at + 1, size)
            contents.damaged += at < size
            continue
        contents.headers.append(header)
        at = contents.end = header.end
    contents.torn = size - contents.end
    return len(contents.headers) - before


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


def _headers_of_index(descriptor: int, size: int) -> list[Header]:
    tail = os.pread(descriptor, FOOTER_BYTES, max(size - FOOTER_BYTES, 0))
    at, length, count, crc = unpack_footer(tail, size)
    body = os.pread(descriptor, length, at)
    if crc32(body) != crc:
        raise NotOurs("its index is damaged")
    headers = list(_headers_within(body))
    if len(headers) != count:
        raise NotOurs("its index is damaged")
    return headers


def _headers_within(body: bytes) -> Iterator[Header]:
    at = 0
    while at < len(body):
        header = checked_header(body, at)
        yield header
        at += header.length


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
