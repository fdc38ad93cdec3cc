"""A PNG container of our own around the `isal` deflate.

Pillow's writer at its default level takes ten times as long as everything else that happens to a
photograph outside the network. A fixed row filter and a fast deflate cost a few percent of size.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Literal

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from pyhades import kernels
from pyhades.arguments import one_of
from pyhades.errors import ArgumentError
from pyhades.kernels.image import PngFilter
from pyhades.segmentation.buffers import FRESH, Buffers

Compression = Literal["fast", "balanced", "small"]

Pixels = NDArray[np.uint8] | NDArray[np.uint16]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPES = {1: 0, 3: 2, 4: 6}  # grey, RGB, RGBA, by channels
_INCHES_PER_METRE = 1 / 0.0254
FILTERS: tuple[PngFilter, ...] = ("none", "sub", "up", "average", "paeth")
_PIECE = 512 << 10  # bytes of filtered rows that become a piece of a file
_ZLIB_HEADER = b"\x78\x01"
_STORED = 16  # bytes of a stream that are not compressed
_ROWS_PER_STRIP = 64  # of the adaptive filter, which needs ten times a strip in memory


def encode_png(
    pixels: Pixels,
    *,
    icc_profile: bytes | None = None,
    dpi: tuple[float, float] | None = None,
    exif: bytes | None = None,
    xmp: bytes | None = None,
    compression: Compression = "fast",
    buffers: Buffers = FRESH,
) -> bytes:
    """Encode pixels of 8 or 16 bits.

    Parameters
    ----------
    pixels
        uint8 or uint16 ``[h, w]``, ``[h, w, 3]`` or ``[h, w, 4]`` (straight alpha).
    icc_profile
        Embedded as it is.
    dpi
        ``(horizontal, vertical)`` dots per inch.
    exif, xmp
        Embedded as they are.
    compression
        ``"fast"``: one row filter and isal's deflate; ``"balanced"`` and ``"small"``: a filter
        chosen per row and zlib at level 5 and 9, some ten and fifty times slower.
    buffers
        Where arrays come from.

    Examples
    --------
    >>> encode_png(np.zeros((1, 1), np.uint8))[1:4]
    b'PNG'
    """
    return b"".join(
        png_parts(
            pixels, icc_profile=icc_profile, dpi=dpi, exif=exif, xmp=xmp, compression=compression,
            buffers=buffers,
        )
    )  # fmt: skip


def png_parts(
    pixels: Pixels,
    *,
    icc_profile: bytes | None = None,
    dpi: tuple[float, float] | None = None,
    exif: bytes | None = None,
    xmp: bytes | None = None,
    compression: Compression = "fast",
    buffers: Buffers = FRESH,
) -> list[bytes]:
    """As :func:`encode_png`, in pieces of some hundred kilobytes that follow one another.

    Memory for small pieces is there already; that of a whole file the system would have to give
    each time.
    """
    parts = [SIGNATURE, *header(pixels), *information(icc_profile, dpi, exif, xmp)]
    for piece in deflated(pixels, compression, buffers):
        parts += chunk(b"IDAT", piece)
    parts += chunk(b"IEND", b"")
    return parts


def header(pixels: Pixels) -> tuple[bytes, ...]:
    """The chunk that tells size and kind of pixels; ArgumentError where PNG has no word for it."""
    channels = _channels(pixels)
    if pixels.dtype not in (np.uint8, np.uint16) or channels not in _COLOUR_TYPES:
        channels = 0
    if not channels or not pixels.size:
        raise ArgumentError(
            f"pixels have shape {pixels.shape} and dtype {pixels.dtype}; "
            "expected uint8 or uint16 [h, w], [h, w, 3] or [h, w, 4], not empty"
        )
    height, width = pixels.shape[:2]
    bits = 8 * pixels.itemsize
    data = struct.pack(">IIBBBBB", width, height, bits, _COLOUR_TYPES[channels], 0, 0, 0)
    return chunk(b"IHDR", data)


def information(
    icc_profile: bytes | None,
    dpi: tuple[float, float] | None,
    exif: bytes | None,
    xmp: bytes | None,
) -> list[bytes]:
    """The chunks about a picture that stand before its pixels."""
    parts: list[bytes] = []
    if icc_profile:
        parts += chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(icc_profile))
    if dpi:
        horizontal, vertical = (round(value * _INCHES_PER_METRE) for value in dpi)
        parts += chunk(b"pHYs", struct.pack(">IIB", horizontal, vertical, 1))
    if exif:
        parts += chunk(b"eXIf", exif)
    if xmp:
        # Neither compressed nor in a language.
        parts += chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp)
    return parts


def chunk(kind: bytes, data: bytes) -> tuple[bytes, ...]:
    """A piece of a PNG, between its length and its checksum."""
    crc = isal_zlib.crc32(data, isal_zlib.crc32(kind))
    return struct.pack(">I", len(data)), kind, data, struct.pack(">I", crc)


def deflated(pixels: Pixels, compression: Compression, buffers: Buffers) -> Iterator[bytes]:
    """The filtered rows, deflated piece by piece."""
    one_of("compression", compression, Compression)
    if pixels.dtype == np.uint16:
        pixels = pixels.astype(">u2")
    rows = np.ascontiguousarray(pixels).view(np.uint8).reshape(len(pixels), -1)
    distance = _channels(pixels) * pixels.itemsize
    if compression == "fast":
        out = buffers.array("filtered", (rows.shape[0], rows.shape[1] + 1), np.uint8)
        yield from deflated_fast(kernels.png_filter(rows, distance, "sub", out=out, threads=1).data)
        return
    deflater = zlib.compressobj(5 if compression == "balanced" else 9)
    for first in range(0, len(rows), _ROWS_PER_STRIP):
        strip = rows[max(first - 1, 0) : first + _ROWS_PER_STRIP]
        filtered = _filter_adaptive(strip, distance)
        if piece := deflater.compress(filtered[0 if first == 0 else 1 :].data):
            yield piece
    yield deflater.flush()


def deflated_fast(data: memoryview) -> Iterator[bytes]:
    """A zlib stream of what isal makes of bytes, the same at any time.

    At the beginning of a stream without history, isal's compressor enters the third position under
    a hash of its own address (``.write_first_byte`` leaves a register as it was), so that a file
    changes, rarely and harmlessly, with where memory lies. Here the first bytes are a stored block,
    and history to the stream of what follows, which then begins elsewhere.
    """
    data = data.cast("B")
    head = bytes(data[:_STORED])
    yield _ZLIB_HEADER + struct.pack("<BHH", 0, len(head), len(head) ^ 0xFFFF) + head
    fast = isal_zlib.compressobj(1, wbits=-zlib.MAX_WBITS, zdict=head)
    pieces = (data[at : at + _PIECE] for at in range(_STORED, len(data), _PIECE))
    yield from filter(None, map(fast.compress, pieces))
    yield fast.flush() + struct.pack(">I", isal_zlib.adler32(data))


def _channels(pixels: Pixels) -> int:
    return 1 if pixels.ndim == 2 else pixels.shape[-1] if pixels.ndim == 3 else 0


def _filter_adaptive(rows: NDArray[np.uint8], distance: int) -> NDArray[np.uint8]:
    """Filter each row by the type with the least sum of absolute differences."""
    candidates = np.stack([kernels.png_filter(rows, distance, name) for name in FILTERS])
    magnitude = np.abs(candidates[..., 1:].view(np.int8).astype(np.int16))
    best = magnitude.sum(axis=2, dtype=np.int64).argmin(axis=0)
    chosen: NDArray[np.uint8] = candidates[best, np.arange(len(rows))]
    return chosen
