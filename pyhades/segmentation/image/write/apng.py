"""Animated PNG: every frame whole, deflated by our own means."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from fractions import Fraction

from pyhades.errors import ImageError
from pyhades.segmentation.buffers import Buffers
from pyhades.segmentation.image.png import (
    SIGNATURE,
    Compression,
    Pixels,
    chunk,
    deflated,
    header,
    information,
)
from pyhades.segmentation.image.write.info import Info

_REPLACE = 0, 0  # nothing is disposed of, and a frame takes the place of what was there
_MOST = (1 << 16) - 1


def write_apng(
    frames: Iterable[tuple[Pixels, float]],
    info: Info,
    *,
    loop: int = 0,
    compression: Compression = "fast",
    buffers: Buffers,
) -> list[bytes]:
    """The content of a file, in pieces that follow one another.

    Parameters
    ----------
    frames
        Pixels, all of one shape and dtype, and for how many milliseconds they are shown.
    info
        What else goes into the file.
    loop
        How often it is played; 0 without end.
    compression
        As of :func:`~pyhades.segmentation.image.png.encode_png`.
    buffers
        Where arrays come from; a frame is let go before the next is asked for.

    Raises
    ------
    ImageError
        The frames differ in size.
    """
    parts: list[bytes] = [SIGNATURE]
    sequence = count = place = 0
    shape: tuple[int, ...] = ()
    for count, (pixels, duration) in enumerate(frames, 1):
        if count == 1:
            shape = pixels.shape
            parts += header(pixels)
            place = len(parts)
            parts += information(info.icc_profile, info.dpi, info.exif, info.xmp)
        elif pixels.shape != shape:
            raise ImageError(f"{info.name}: frame {count} has another size than the first")
        parts += chunk(b"fcTL", _control(sequence, shape, duration))
        sequence += 1
        for piece in deflated(pixels, compression, buffers):
            if count == 1:  # which viewers without animation show
                parts += chunk(b"IDAT", piece)
            else:
                parts += chunk(b"fdAT", struct.pack(">I", sequence) + piece)
                sequence += 1
    parts += chunk(b"IEND", b"")
    parts[place:place] = chunk(b"acTL", struct.pack(">II", count, loop))
    return parts


def _control(sequence: int, shape: tuple[int, ...], milliseconds: float) -> bytes:
    height, width = shape[:2]
    seconds = Fraction(milliseconds / 1000).limit_denominator(1000)
    if seconds.numerator > _MOST:
        seconds = Fraction(min(round(seconds), _MOST))
    return struct.pack(
        ">IIIIIHHBB", sequence, width, height, 0, 0, seconds.numerator, seconds.denominator,
        *_REPLACE,
    )  # fmt: skip
