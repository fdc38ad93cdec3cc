"""Contents of records to bytes of a payload, and back."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import replace

from pyhades.errors import ArgumentError
from pyhades.llm.cache.codec import Codec, DamagedError
from pyhades.llm.cache.disk.framing import NotOurs, Shapes, crc32
from pyhades.llm.cache.disk.headers import Header, Piece
from pyhades.llm.cache.records import Record

_Shape = tuple[int, int, int]


def encoded(record: Record, codec: Codec, shapes: Shapes) -> tuple[Header, list[bytes]]:
    """The header of a record, but for its place, and what its payload is made of.

    Raises
    ------
    ArgumentError
        The contents have not the shapes of the level, or a name or text is too long.
    """
    payload, pieces, crc = [], [], 0
    for kind, contents in sorted(record.contents.items()):
        shape = _checked(kind, contents.shape, shapes)
        data = codec.encode(contents)
        crc = crc32(data, crc)
        payload.append(data)
        pieces.append(Piece(kind, shape, len(data)))
    header = Header(
        0, 0, sum(map(len, payload)), crc, record.nbytes, record.key, record.parent,
        record.tokens, codec.name, replace(record.use), tuple(pieces),
    )  # fmt: skip
    try:
        header.pack(0)  # so that its length is known
    except struct.error as error:
        raise ArgumentError(f"{record.key}: such a record cannot be written: {error}") from error
    return header, payload


def decoded(header: Header, payload: bytes, codecs: Mapping[str, Codec], shapes: Shapes) -> Record:
    """A record from its header and its payload, whose checksums are right.

    Raises
    ------
    NotOurs
        It is not of these shapes, or of a codec that is not known.
    """
    codec = codecs.get(header.codec)
    if codec is None:
        raise NotOurs(f"a record is written by codec {header.codec!r}, which is not known here")
    contents, at = {}, 0
    for kind, shape, length in header.pieces:
        try:
            _checked(kind, shape, shapes)
            contents[kind] = codec.decode(payload[at : at + length], shape)
        except (ArgumentError, DamagedError) as error:
            raise NotOurs(f"contents of a record: {error}") from error
        at += length
    return Record(header.key, header.parent, header.tokens, contents, header.use)


def _checked(kind: str, shape: Sequence[int], shapes: Mapping[str, Sequence[int]]) -> _Shape:
    layers, block_bytes = shapes.get(kind, (None, None))
    if len(shape) != 3 or shape[0] != layers or shape[2] != block_bytes:
        known = {name: f"[{layers}, blocks, {size}]" for name, (layers, size) in shapes.items()}
        raise ArgumentError(f"{kind} of shape {list(shape)}: records here have {known}")
    return shape[0], shape[1], shape[2]
