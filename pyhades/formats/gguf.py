"""The GGUF container: typed metadata, a table of tensors, and their bytes."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from pyhades.errors import ModelError, UnsupportedOperatorError
from pyhades.formats.entry import TensorEntry, check_apart
from pyhades.formats.mapped import MappedFile
from pyhades.quant.ggml import OTHER_NAMES, TYPES

MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_ALIGNMENT = 32
_STRING, _ARRAY = 8, 9
_NUMBERS = dict(zip((0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12), "BbHhIif?Qqd", strict=True))
"""Number of a metadata type to its struct format."""
_MOST_DIMENSIONS = 4
_DEEPEST_ARRAY = 4
_SMALLEST_PAIR, _SMALLEST_TENSOR, _SMALLEST_STRING = 13, 24, 8
"""Bytes: what counts in the header are held against, before anything is made of them."""


class GgufFile:
    """A mapped GGUF file, its header checked completely.

    Attributes
    ----------
    mapping
        The file.
    metadata
        Keys to numbers, texts, lists of texts and, for lists of numbers, NumPy arrays.
    tensors
        By name.

    Raises
    ------
    ModelError
        The file is no GGUF file, or is damaged; names file, tensor and remedy.
    UnsupportedOperatorError
        A tensor has a type that is not read.
    """

    def __init__(self, path: Path) -> None:
        self.mapping = MappedFile(path)
        header = _HeaderReader(self.mapping)
        tensors, pairs = header.preamble()
        self.metadata: dict[str, Any] = {}
        for _ in range(pairs):
            key, value = header.pair()
            if key in self.metadata:
                header.fail(f"the key {key!r} comes twice")
            self.metadata[key] = value
        described = [header.tensor() for _ in range(tensors)]
        alignment = self.metadata.get("general.alignment", _ALIGNMENT)
        if type(alignment) is not int or alignment <= 0 or alignment % 8:
            header.fail(f"general.alignment is {alignment!r}")
        begin = -(-header.at // alignment) * alignment
        self.tensors: dict[str, TensorEntry] = {}
        places = []
        for name, number, shape, offset in described:
            entry = self._entry(header, name, number, shape, begin + offset)
            if name in self.tensors:
                header.fail(f"tensor {name!r} is described twice")
            if offset % alignment:
                header.fail(f"tensor {name!r} begins at {offset}, no multiple of {alignment}")
            self.tensors[name] = entry
            places.append((name, offset, offset + len(entry.data)))
        check_apart(path, places)

    def _entry(
        self, header: _HeaderReader, name: str, number: int, shape: tuple[int, ...], begin: int
    ) -> TensorEntry:
        if number not in TYPES:
            other = OTHER_NAMES.get(number, f"number {number}")
            known = ", ".join(entry.name for entry in TYPES.values())
            raise UnsupportedOperatorError(
                f"{self.mapping.path}: tensor {name!r} has the type {other}, which pyhades does "
                f"not read; take a file whose tensors are {known}, or make one with llama-quantize"
            )
        kind = TYPES[number]
        columns = shape[-1] if shape else 1
        if columns % kind.block:
            header.fail(
                f"tensor {name!r} is {kind.name} {list(shape)}, no whole blocks of {kind.block}"
            )
        nbytes = columns // kind.block * kind.block_bytes
        for size in shape[:-1]:
            nbytes *= size
        end = len(self.mapping.data)
        if begin + nbytes > end:
            header.fail(f"tensor {name!r} ends at byte {begin + nbytes}, the file at {end}")
        data = self.mapping.data[begin : begin + nbytes]
        return TensorEntry(name, self.mapping.path, kind.name, shape, data)


class _HeaderReader:
    """Reads what stands in front of the tensors, never past the end of the file."""

    def __init__(self, mapping: MappedFile) -> None:
        self._path = mapping.path
        self._buffer = mapping.data.data
        self.at = 0

    def fail(self, problem: str) -> NoReturn:
        raise ModelError(
            f"{self._path}: {problem}; the file is damaged, incomplete or no GGUF file; download "
            "or convert it again"
        )

    def preamble(self) -> tuple[int, int]:
        """Check magic and version; the numbers of tensors and of metadata pairs."""
        if bytes(self._buffer[:4]) != MAGIC:
            self.fail("it does not begin with 'GGUF'")
        self.at = 4
        version = self._number("I")
        if version not in _VERSIONS:
            swapped = version and version % 65536 == 0
            raise UnsupportedOperatorError(
                f"{self._path}: a GGUF file "
                + (f"of version {version}" if not swapped else "for big-endian machines")
                + "; pyhades reads versions 2 and 3 in little-endian order; convert it again"
            )
        tensors = self._count(_SMALLEST_TENSOR)
        return tensors, self._count(_SMALLEST_PAIR)

    def pair(self) -> tuple[str, Any]:
        """The next key and its value."""
        key = self._text("strict")
        return key, self._value(self._number("I"), key, 0)

    def tensor(self) -> tuple[str, int, tuple[int, ...], int]:
        """Name, type number, shape and offset of the next tensor."""
        name = self._text("strict")
        dimensions = self._number("I")
        if dimensions > _MOST_DIMENSIONS:
            self.fail(f"tensor {name!r} has {dimensions} axes")
        # GGUF names the fastest axis first.
        shape = tuple(self._number("Q") for _ in range(dimensions))[::-1]
        return name, self._number("I"), shape, self._number("Q")

    def _take(self, length: int) -> memoryview:
        taken = self._buffer[self.at : self.at + length]
        if len(taken) != length:
            self.fail(f"the header goes past the end of the file, at byte {self.at}")
        self.at += length
        return taken

    def _number(self, code: str) -> Any:
        return struct.unpack(f"<{code}", self._take(struct.calcsize(code)))[0]

    def _count(self, smallest: int) -> int:
        """A number of things that need at least ``smallest`` bytes each."""
        count: int = self._number("Q")
        if count * smallest > len(self._buffer) - self.at:
            self.fail(f"the header announces {count} items at byte {self.at}, more than fit")
        return count

    def _text(self, errors: str = "replace") -> str:
        begin = self.at
        data = bytes(self._take(self._count(1)))
        try:
            return data.decode("utf-8", errors)
        except UnicodeDecodeError:
            self.fail(f"the name at byte {begin} is no UTF-8 text")

    def _value(self, kind: int, key: str, depth: int) -> Any:
        if kind == _STRING:
            return self._text()
        if kind in _NUMBERS:
            return self._number(_NUMBERS[kind])
        if kind != _ARRAY:
            self.fail(f"the value of {key!r} has the unknown type {kind}")
        if depth == _DEEPEST_ARRAY:
            self.fail(f"the value of {key!r} is an array of arrays of arrays")
        item = self._number("I")
        if item in _NUMBERS:
            dtype = np.dtype(f"<{_NUMBERS[item]}")
            count = self._count(dtype.itemsize)
            return np.frombuffer(self._take(count * dtype.itemsize), dtype)
        count = self._count(_SMALLEST_STRING)
        if item == _STRING:
            return self._texts(count)
        return [self._value(item, key, depth + 1) for _ in range(count)]

    def _texts(self, count: int) -> list[str]:
        """Texts one after the other; vocabularies have hundreds of thousands."""
        buffer, at, texts = self._buffer, self.at, []
        end, length_of = len(buffer), struct.Struct("<Q").unpack_from
        for _ in range(count):
            begin = at + 8
            at = begin + length_of(buffer, at)[0] if begin <= end else end + 1
            if at > end:
                self.fail(f"a text goes past the end of the file, at byte {begin - 8}")
            texts.append(str(buffer[begin:at], "utf-8", "replace"))
        self.at = at
        return texts
