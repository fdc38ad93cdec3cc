"""Protocol-buffer wire format over a memory map: a bounds-checked reader and a streaming writer.

Large fields come out as views into the buffer and go in as they are, so neither reading nor
writing a model allocates its size. Both sides are driven by the tables in
:mod:`pyhades.onnx.schema`; fields that a table does not list are skipped.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np

from pyhades.errors import ModelError
from pyhades.onnx.schema import Field, Kind, Message

Record = dict[str, Any]
"""A decoded message: field name to value; a list where repeated, None where absent."""

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_WIRE_TYPES = {Kind.INT: _VARINT, Kind.FLOAT: _FIXED32, Kind.DOUBLE: _FIXED64}
_FORMATS = {Kind.FLOAT: "<f", Kind.DOUBLE: "<d"}
_LONGEST_VARINT = 10
_LONGEST_LIST = 1024
_SHORT_PAYLOAD = 64
_DEEPEST_MESSAGE = 100
"""Messages within messages, as many as Google's readers follow: 33 graphs within graphs."""


class WireReader:
    """Decodes messages from a buffer.

    Parameters
    ----------
    buffer
        The bytes of the file; views of it are handed out, so it stays alive with them.
    source
        What to call the file in errors.
    """

    def __init__(self, buffer: memoryview, source: str) -> None:
        self._buffer = buffer
        self._source = source

    def read(self, message: Message) -> Record:
        """Decode the whole buffer as ``message``.

        Raises
        ------
        ModelError
            The bytes are truncated or are no such message; it names file and offset.
        """
        return self._message(message, 0, len(self._buffer), 0)

    def _fail(self, at: int, problem: str) -> NoReturn:
        raise ModelError(
            f"{self._source}: malformed at byte {at}: {problem}; the file is damaged, incomplete "
            "or not an ONNX model"
        )

    def _varint(self, at: int, end: int) -> tuple[int, int]:
        """An unsigned varint and the position behind it."""
        buffer, value, begin = self._buffer, 0, at
        for shift in range(0, 7 * _LONGEST_VARINT, 7):
            if at >= end:
                self._fail(begin, "a number is cut off")
            byte = buffer[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & 0xFFFF_FFFF_FFFF_FFFF, at
        self._fail(begin, "a number is longer than ten bytes")

    def _message(self, message: Message, at: int, end: int, depth: int) -> Record:
        if depth > _DEEPEST_MESSAGE:
            self._fail(at, f"messages are nested more than {_DEEPEST_MESSAGE} deep")
        record: Record = {f.name: [] if f.repeated else None for f in message.fields.values()}
        packed: set[str] = set()
        while at < end:
            begin = at
            key, at = self._varint(at, end)
            number, wire_type = key >> 3, key & 7
            at, stop = self._payload(begin, at, end, wire_type)
            field = message.fields.get(number)
            if number == 0:
                self._fail(begin, "field number 0")
            if field is not None:
                self._store(record, message, field, wire_type, begin, at, stop, depth)
                if field.repeated and wire_type == _LENGTH and field.kind in _WIRE_TYPES:
                    packed.add(field.name)
            at = stop
        for name in packed:
            record[name] = _joined(record[name])
        return record

    def _payload(self, begin: int, at: int, end: int, wire_type: int) -> tuple[int, int]:
        """First byte of the payload and the byte behind it."""
        if wire_type == _VARINT:
            return at, self._varint(at, end)[1]
        if wire_type == _LENGTH:
            length, at = self._varint(at, end)
            stop = at + length
        elif wire_type in (_FIXED32, _FIXED64):
            stop = at + (4 if wire_type == _FIXED32 else 8)
        else:
            self._fail(begin, f"wire type {wire_type}")
        if stop > end:
            self._fail(begin, f"a field of {stop - at} bytes ends beyond its message")
        return at, stop

    def _store(
        self,
        record: Record,
        message: Message,
        field: Field,
        wire_type: int,
        begin: int,
        at: int,
        stop: int,
        depth: int,
    ) -> None:
        kind = field.kind
        expected = _LENGTH if isinstance(kind, Message) else _WIRE_TYPES.get(kind, _LENGTH)
        packed = field.repeated and wire_type == _LENGTH and expected != _LENGTH
        if wire_type != expected and not packed:
            self._fail(begin, f"{message.name}.{field.name} has wire type {wire_type}")
        if isinstance(kind, Message):
            value: Any = self._message(kind, at, stop, depth + 1)
        elif packed:
            record[field.name].extend(self._packed(kind, begin, at, stop))
            return
        else:
            value = self._scalar(kind, at, stop)
        if field.repeated:
            record[field.name].append(value)
        else:
            record[field.name] = value

    def _scalar(self, kind: Kind, at: int, stop: int) -> Any:
        view = self._buffer[at:stop]
        if kind is Kind.BYTES:
            return view
        if kind is Kind.STRING:
            try:
                return str(view, "utf-8")
            except UnicodeDecodeError:
                self._fail(at, "a name is not UTF-8")
        if kind is Kind.INT:
            return _signed(self._varint(at, stop)[0])
        return struct.unpack(_FORMATS[kind], view)[0]

    def _packed(self, kind: Kind, begin: int, at: int, stop: int) -> list[Any]:
        """Numbers of a packed list: themselves where they are few, else one array of them."""
        if kind is Kind.INT and stop - at <= _SHORT_PAYLOAD:
            if at < stop and self._buffer[stop - 1] >= 0x80:
                self._fail(begin, "a list of numbers is cut off")
            numbers = []
            while at < stop:
                number, at = self._varint(at, stop)
                numbers.append(_signed(number))
            return numbers
        data = np.frombuffer(self._buffer[at:stop], np.uint8)
        if kind is Kind.INT:
            array = _unpack_varints(data)
            if array is None:
                self._fail(begin, "a list of numbers is cut off")
            return [array]
        dtype = np.dtype(_FORMATS[kind])
        if len(data) % dtype.itemsize:
            self._fail(begin, "a list of numbers is cut off")
        return [data.view(dtype)]


def _joined(parts: list[Any]) -> Any:
    """Numbers and arrays of them as a list, or as an array (possibly a view) where it is long.

    They are joined once, at the end: a file may consist of any number of small parts.
    """
    if not any(isinstance(part, np.ndarray) for part in parts):
        return parts
    if len(parts) == 1 and len(parts[0]) > _LONGEST_LIST:
        return parts[0]
    arrays = [np.atleast_1d(part) for part in parts]
    numbers = np.concatenate(arrays)
    return numbers if len(numbers) > _LONGEST_LIST else numbers.tolist()


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _unpack_varints(data: np.ndarray[Any, np.dtype[np.uint8]]) -> np.ndarray[Any, Any] | None:
    """All varints of ``data`` as int64; None where the last is cut off or one is too long."""
    ends = np.flatnonzero(data < 0x80)
    if not len(data):
        return np.zeros(0, np.int64)
    if not len(ends) or ends[-1] != len(data) - 1:
        return None
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    if lengths.max() > _LONGEST_VARINT:
        return None
    values = np.zeros(len(ends), np.uint64)
    for position in range(int(lengths.max())):
        longer = lengths > position
        byte = data[starts[longer] + position].astype(np.uint64) & np.uint64(0x7F)
        values[longer] |= byte << np.uint64(7 * position)
    return values.view(np.int64)


Chunks = list[Any]
"""Buffers to be written one after the other."""


def _varint_bytes(value: int) -> bytes:
    value &= 0xFFFF_FFFF_FFFF_FFFF
    result = bytearray()
    while value >= 0x80:
        result.append(value & 0x7F | 0x80)
        value >>= 7
    result.append(value)
    return bytes(result)


def encode(record: Mapping[str, Any], message: Message) -> Chunks:
    """The bytes of ``record`` as a list of buffers; large values are referenced, not copied.

    Absent fields, None and empty lists are left out. Lists of numbers are packed.
    """
    chunks: Chunks = []
    for number, field in message.fields.items():
        value = record.get(field.name)
        if value is None or (field.repeated and not len(value)):
            continue
        if field.repeated and field.kind in _WIRE_TYPES:
            _append(chunks, number, _pack(value, field.kind))
            continue
        for item in value if field.repeated else [value]:
            _encode_one(chunks, number, field.kind, item)
    return chunks


def _pack(values: Any, kind: Kind | Message) -> Chunks:
    if kind is Kind.INT:
        return [b"".join(_varint_bytes(int(value)) for value in values)]
    return [np.asarray(values, "<f4" if kind is Kind.FLOAT else "<f8").tobytes()]


def _append(chunks: Chunks, number: int, payload: Chunks) -> None:
    length = sum(memoryview(part).nbytes for part in payload)
    chunks.append(_varint_bytes(number << 3 | _LENGTH) + _varint_bytes(length))
    chunks.extend(payload)


def _encode_one(chunks: Chunks, number: int, kind: Kind | Message, value: Any) -> None:
    if isinstance(kind, Message):
        _append(chunks, number, encode(value, kind))
    elif kind is Kind.STRING:
        _append(chunks, number, [value.encode()])
    elif kind is Kind.BYTES:
        _append(chunks, number, [value])
    elif kind is Kind.INT:
        chunks.append(_varint_bytes(number << 3) + _varint_bytes(int(value)))
    else:
        key = _varint_bytes(number << 3 | _WIRE_TYPES[kind])
        chunks.append(key + struct.pack(_FORMATS[kind], value))
