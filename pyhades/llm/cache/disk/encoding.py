"""Contents of records to bytes of a payload, and back."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import replace

from pyhades.errors import ArgumentError
from pyhades.llm.cache.codec import Codec, DamagedError
from pyhades.llm.cache.disk.framing import NotOurs, Shapes, crc32
from pyhades.llm.cache.disk.headers import Header, Piece
from pyhades.llm.cache.policies import Use
from pyhades.llm.cache.records import Encoded, Record, Stored

_Shape = tuple[int, int, int]


def framed(stored: Stored, shapes: Shapes) -> tuple[Header, list[bytes]]:
    """The header of a record, but for its place, and what its payload is made of.

    Raises
    ------
    ArgumentError
        The contents have not the shapes of the level, or a name or text is too long.
    """
    payload, pieces, crc = [], [], 0
    for kind, (shape, data) in stored.parts.items():
        pieces.append(Piece(kind, _checked(kind, shape, shapes), len(data)))
        payload.append(data)
        crc = crc32(data, crc)
    header = Header(
        0, 0, sum(map(len, payload)), crc, stored.raw_bytes, stored.key, stored.parent,
        stored.tokens, stored.codec, replace(stored.use), tuple(pieces),
    )  # fmt: skip
    try:
        header.pack(0)  # so that its length is known
    except struct.error as error:
        raise ArgumentError(f"{stored.key}: such a record cannot be written: {error}") from error
    return header, payload


def unframed(header: Header, payload: bytes, use: Use) -> Stored:
    """A record as it stands in its file, used so by now."""
    parts, at = {}, 0
    for kind, shape, length in header.pieces:
        parts[kind] = Encoded(shape, payload[at : at + length])
        at += length
    return Stored(
        header.key, header.parent, header.tokens, header.codec, parts, header.raw_bytes,
        replace(use),
    )  # fmt: skip


def decoded(stored: Stored, codecs: Mapping[str, Codec], shapes: Shapes) -> Record:
    """A record whose checksums are right.

    Raises
    ------
    NotOurs
        It is not of these shapes, or of a codec that is not known.
    """
    codec = codecs.get(stored.codec)
    if codec is None:
        raise NotOurs(f"a record is written by codec {stored.codec!r}, which is not known here")
    contents = {}
    for kind, (shape, data) in stored.parts.items():
        try:
            _checked(kind, shape, shapes)
            contents[kind] = codec.decode(data, shape)
        except (ArgumentError, DamagedError) as error:
            raise NotOurs(f"contents of a record: {error}") from error
    return Record(stored.key, stored.parent, stored.tokens, contents, stored.use)


def _checked(kind: str, shape: Sequence[int], shapes: Mapping[str, Sequence[int]]) -> _Shape:
    layers, block_bytes = shapes.get(kind, (None, None))
    if len(shape) != 3 or shape[0] != layers or shape[2] != block_bytes:
        known = {name: f"[{layers}, blocks, {size}]" for name, (layers, size) in shapes.items()}
        raise ArgumentError(f"{kind} of shape {list(shape)}: records here have {known}")
    return shape[0], shape[1], shape[2]
