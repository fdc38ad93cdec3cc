"""TIFF of 8 and 16 bits, with one page or many: deflated strips of differences.

Pillow has no mode for colours of 16 bits, so only the directories are its.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterable
from typing import Any

import numpy as np
from PIL import Image, TiffTags
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from pyhades.errors import ImageError
from pyhades.segmentation.image.metadata import DESCRIBING
from pyhades.segmentation.image.png import Pixels, deflated_fast
from pyhades.segmentation.image.write.info import Info

log = logging.getLogger(__name__)

_STRIP = 1 << 20  # bytes of pixels that are deflated at once
_MOST = (1 << 32) - 1
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _COLOURS = 256, 257, 258, 259, 262
_OFFSETS, _CHANNELS, _ROWS, _LENGTHS = 273, 277, 278, 279
_RESOLUTIONS, _UNIT, _PAGE, _PREDICTOR, _EXTRA = (282, 283), 296, 297, 317, 338
_XMP, _PROFILE = 700, 34675
_DEFLATE, _DIFFERENCES, _INCH, _STRAIGHT = 8, 2, 2, 2


def write_tiff(pages: Iterable[tuple[Pixels, Info]]) -> list[bytes]:
    """The content of a file, in pieces that follow one another.

    Parameters
    ----------
    pages
        Pixels, uint8 or uint16 ``[h, w]``, ``[h, w, 3]`` or ``[h, w, 4]`` (straight alpha), and
        what else belongs to each page.

    Raises
    ------
    ImageError
        It would have more than 4 GiB, the most that offsets of 32 bits reach.
    """
    parts: list[bytes] = [b"II*\0\0\0\0\0"]
    position, link_part, link_at, name = 8, 0, 4, "image"
    for number, (pixels, info) in enumerate(pages):
        name = info.name
        strips = _strips(pixels)
        directory = _directory(pixels, [len(strip) for strip in strips], info, number, position)
        parts[link_part] = _linked(parts[link_part], link_at, position, name)
        link_part, link_at = len(parts), 2 + 12 * int.from_bytes(directory[:2], "little")
        parts += [directory, *strips]
        position += len(directory) + sum(map(len, strips))
        if position % 2:  # directories begin at even places
            parts.append(b"\0")
            position += 1
    if position > _MOST:
        raise ImageError(f"{name}: more than the 4 GiB that TIFF holds; write PNG")
    return parts


def _linked(part: bytes, at: int, position: int, name: str) -> bytes:
    """A directory that says where the next one lies."""
    if position > _MOST:
        raise ImageError(f"{name}: more than the 4 GiB that TIFF holds; write fewer pages")
    return part[:at] + struct.pack("<I", position) + part[at + 4 :]


def _strips(pixels: Pixels) -> list[bytes]:
    """Differences of neighbours, deflated, some rows at a time."""
    rows = _rows_per_strip(pixels)
    strips = []
    for first in range(0, len(pixels), rows):
        strip = pixels[first : first + rows]
        differences = np.array(strip, strip.dtype.newbyteorder("<"), order="C")
        np.subtract(strip[:, 1:], strip[:, :-1], out=differences[:, 1:])
        strips.append(b"".join(deflated_fast(differences.data)))
    return strips


def _rows_per_strip(pixels: Pixels) -> int:
    return max(1, _STRIP // max(1, int(pixels[0].nbytes)))


def _directory(pixels: Pixels, lengths: list[int], info: Info, number: int, position: int) -> bytes:
    """The tags of a page, at their place in the file."""
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    offsets = np.cumsum([0, *lengths[:-1]]).tolist()
    tags: dict[int, Any] = {
        _WIDTH: pixels.shape[1], _HEIGHT: pixels.shape[0],
        _BITS: (8 * pixels.itemsize,) * channels, _COMPRESSION: _DEFLATE,
        _COLOURS: 1 if channels == 1 else 2, _CHANNELS: channels, _ROWS: _rows_per_strip(pixels),
        _PREDICTOR: _DIFFERENCES, _OFFSETS: tuple(offsets), _LENGTHS: tuple(lengths),
    }  # fmt: skip
    if channels == 4:
        tags[_EXTRA] = _STRAIGHT
    if info.dpi:
        tags |= {**dict(zip(_RESOLUTIONS, info.dpi, strict=True)), _UNIT: _INCH}
    tags |= {tag: data for tag, data in ((_PROFILE, info.icc_profile), (_XMP, info.xmp)) if data}
    try:
        return _as_bytes(_described(info.exif) | tags, position)
    except Exception as error:  # of EXIF from anywhere: types and ranges that no TIFF has
        log.warning("%s: EXIF that TIFF cannot hold was left out (%s)", info.name, error)
        return _as_bytes(tags, position)


def _described(block: bytes | None) -> dict[int, Any]:
    """EXIF as tags: those about the picture, not those about how pixels are stored."""
    if not block:
        return {}
    exif = Image.Exif()
    exif.load(block)
    found: dict[int, Any] = {}
    for tag in DESCRIBING.intersection(exif):
        is_directory = tag in TiffTags.TAGS_V2_GROUPS
        found[tag] = exif.get_ifd(tag) if is_directory else exif[tag]
    return {tag: value for tag, value in found.items() if value not in ({}, None)}


def _as_bytes(tags: dict[int, Any], position: int) -> bytes:
    directory = ImageFileDirectory_v2(b"II*\0\0\0\0\0")
    for tag, value in tags.items():
        directory[tag] = value
    for tag in (_OFFSETS, _LENGTHS):
        directory.tagtype[tag] = TiffTags.LONG
    directory.tagtype[_XMP] = TiffTags.BYTE
    directory.tagtype[_PROFILE] = TiffTags.UNDEFINED
    return directory.tobytes(position)
