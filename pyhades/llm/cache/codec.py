"""Contents of blocks in fewer bytes, without loss.

Keys and values as bfloat16 are of some few magnitudes, so their exponents are far from using their
eight bits, while signs and mantissas are as good as random. The *planes* codec turns every value by
one bit to the left, so that its exponent fills one byte and its mantissa and sign fill the other,
and lays exponents and mantissas apart. What of the two shrinks is deflated by isal, without looking
for what occurs twice: by codes of Huffman alone, which come within a hundredth of the entropy.
Integers of eight bits were scaled to use them all: they are kept as they are.

That won in ``bench/cache/codec.py``, on keys and values of two models: 1.49 and 1.51 times smaller,
where the entropy of the bytes allows 1.50 and 1.52. Looking for repetitions takes longer and brings
less: isal 1.42, zstd 1.43 to 1.47, lz4 1.1 to 1.2. Without planes nothing brings more than 1.3, and
int8 becomes 1.03 to 1.05 times smaller. See docs/decisions/0016.
"""

from __future__ import annotations

import math
import struct
import sys
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from isal import igzip_lib
from numpy.typing import NDArray

from pyhades.errors import PyhadesError
from pyhades.kernels.paged_attention import KvFormat
from pyhades.llm.cache.records import Encoded, Record, Stored

SHRINKS = 1 / 64
"""By so much of itself something has to shrink to be worth decoding."""
SAMPLE = 4096
"""Bytes of a plane that tell whether it is worth deflating as a whole."""
_LEVEL = 1
_HISTORY_BITS = 1
"""So short a history that nothing is found in it."""
_HEAD = struct.Struct("<BII")
"""Which planes are deflated, one bit each, and how many bytes each takes."""

_IsalError: type[Exception] = igzip_lib.IsalError  # type: ignore[assignment]  # wrong in its stub

Bytes = NDArray[np.uint8]


class DamagedError(PyhadesError, ValueError):
    """Data that no codec has written: something has changed it since."""


class Codec(Protocol):
    """How contents are kept; the same object may be used by many threads."""

    name: str
    """What is stored with the data, so that it can be read by whoever finds it."""

    def encode(self, contents: Bytes) -> bytes:
        """Contents of any shape in fewer bytes, where that is possible."""

    def decode(self, data: bytes, shape: Sequence[int]) -> Bytes:
        """The contents of that shape, to the bit.

        Raises
        ------
        DamagedError
            The data are not those of contents of that shape.
        """


class Raw:
    """Contents as they are."""

    name = "raw"

    def encode(self, contents: Bytes) -> bytes:
        """The bytes."""
        return contents.tobytes()

    def decode(self, data: bytes, shape: Sequence[int]) -> Bytes:
        """The contents, which may be written."""
        _check(len(data), math.prod(shape), "contents")
        return np.frombuffer(data, np.uint8).reshape(shape).copy()

    def __repr__(self) -> str:
        return "contents as they are"


class Planes:
    """The two halves of bfloat16 apart, each deflated where that pays.

    Examples
    --------
    >>> import numpy as np
    >>> from pyhades.llm.cache.codec import Planes
    >>> values = np.random.default_rng(0).standard_normal(16384, np.float32)
    >>> contents = values.view(np.uint16)[1::2].copy().view(np.uint8)  # the upper halves: bfloat16
    >>> data = Planes().encode(contents)
    >>> contents.nbytes / len(data) > 1.4
    True
    >>> np.array_equal(Planes().decode(data, contents.shape), contents)
    True
    """

    name = "planes"

    def encode(self, contents: Bytes) -> bytes:
        """A head and both planes; after a zero as they are, if they shrink by less than 1/64."""
        flat = np.ascontiguousarray(contents).reshape(-1)
        if flat.size and flat.size % 2 == 0:
            planes = [plane.data for plane in split_planes(flat)]
            streams = [_deflated(plane) for plane in planes]
            marks = sum((stream is not None) << index for index, stream in enumerate(streams))
            parts = [stream or plane for stream, plane in zip(streams, planes, strict=True)]
            data = _HEAD.pack(marks, *map(len, parts)) + b"".join(parts)
            if _shrinks(data, flat.size):
                return data
        return b"".join((b"\0", flat.data))

    def decode(self, data: bytes, shape: Sequence[int]) -> Bytes:
        """The contents, which may be written."""
        if data[:1] == b"\0":
            return Raw().decode(data[1:], shape)
        size = math.prod(shape)
        _check(size % 2, 0, "odd bytes")
        if len(data) < _HEAD.size:
            raise DamagedError(f"{len(data)} bytes are no contents of a block")
        deflated, *sizes = _HEAD.unpack_from(data)
        _check(deflated & ~3, 0, "unknown marks")
        _check(len(data), _HEAD.size + sum(sizes), "both planes")
        middle = _HEAD.size + sizes[0]
        parts = data[_HEAD.size : middle], data[middle:]
        exponents, mantissas = (
            _inflated(part, size // 2) if deflated >> index & 1 else part
            for index, part in enumerate(parts)
        )
        for plane in (exponents, mantissas):
            _check(len(plane), size // 2, "a plane")
        return join_planes(exponents, mantissas).reshape(shape)

    def __repr__(self) -> str:
        return "exponents and mantissas apart, deflated by isal"


CODECS: dict[str, Codec] = {codec.name: codec for codec in (Raw(), Planes())}
"""By the names that are stored with data."""


def codec_of(kv_format: KvFormat) -> Codec:
    """What pays for keys and values of that format.

    Examples
    --------
    >>> from pyhades.llm.cache.codec import codec_of
    >>> codec_of("bf16").name, codec_of("int8").name
    ('planes', 'raw')
    """
    return CODECS["planes" if kv_format == "bf16" else "raw"]


def encoded(record: Record, codec: Codec) -> Stored:
    """A record as a level keeps it.

    Examples
    --------
    >>> import numpy as np
    >>> from pyhades.llm.cache.policies import Use
    >>> from pyhades.llm.cache.records import Key, Part, Record
    >>> contents = {"full_attention": np.zeros((2, 1, 64), np.uint8)}
    >>> record = Record(Key(b"name", Part.BLOCK), b"root", b"tokens", contents, Use(0.0))
    >>> len(encoded(record, Raw()).parts["full_attention"].data)
    128
    """
    parts = {
        kind: Encoded(contents.shape, codec.encode(contents))
        for kind, contents in sorted(record.contents.items())
    }
    return Stored(
        record.key, record.parent, record.tokens, codec.name, parts, record.nbytes, record.use
    )


def split_planes(flat: Bytes) -> tuple[Bytes, Bytes]:
    """Exponents; mantissas with the sign as their lowest bit."""
    values = flat.view("<u2")
    mantissas = values << 1
    mantissas |= values >> 15
    return (values >> 7).astype(np.uint8), mantissas.astype(np.uint8)


def join_planes(exponents: bytes, mantissas: bytes) -> Bytes:
    """What was split: the bytes of bfloat16."""
    values = np.frombuffer(exponents, np.uint8).astype("<u2")
    values <<= 7
    lower = np.frombuffer(mantissas, np.uint8).astype("<u2")
    values |= lower >> 1
    lower <<= 15
    values |= lower
    return values.view(np.uint8)


def _deflated(plane: memoryview) -> bytes | None:
    """A stream without checksum, which levels have of their own; None where it is hardly less."""
    if len(plane) >= 4 * SAMPLE and not _shrinks(_stream(plane[:SAMPLE]), SAMPLE):
        return None
    stream = _stream(plane)
    return stream if _shrinks(stream, len(plane)) else None


def _stream(plane: memoryview) -> bytes:
    return igzip_lib.compress(plane, _LEVEL, hist_bits=_HISTORY_BITS)


def _shrinks(stream: bytes, size: int) -> bool:
    return len(stream) <= size * (1 - SHRINKS)


def _inflated(stream: bytes, size: int) -> bytes:
    """At most one byte more than expected, whatever damaged data ask for."""
    reader = igzip_lib.IgzipDecompressor()
    try:
        plane = reader.decompress(stream, size + 1)
    except _IsalError as error:
        raise DamagedError(f"a plane cannot be inflated: {error}") from error
    if not reader.eof or reader.unused_data:
        raise DamagedError("a plane does not end where it should")
    return plane


def _check(found: int, expected: int, what: str) -> None:
    if found != expected:
        raise DamagedError(f"{what}: {found} bytes, where {expected} were expected")


assert sys.byteorder == "little", "kernels keep keys and values in the order of little endian"
