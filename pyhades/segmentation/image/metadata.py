"""EXIF and XMP of a picture whose pixels have been turned upright.

Blocks are changed where they lie and not written anew: notes of camera makers hold offsets of their
own, which only survive if nothing moves.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from PIL import Image

PREFIX = b"Exif\0\0"
_ORIENTATION, _EXIF, _WIDTH, _HEIGHT = 0x0112, 0x8769, 0xA002, 0xA003
_THUMBNAIL, _THUMBNAIL_BYTES = 0x0201, 0x0202
_RESOLUTIONS = 0x011A, 0x011B
_SHORT, _LONG = 3, 4
_XMP_ORIENTATION = re.compile(
    rb"""(tiff:Orientation\s*(?:=\s*["']|>)\s*)[1-8](?=\s*(?:["']|<))""",
)
_XMP_THUMBNAILS = b"<xmp:Thumbnails>", b"</xmp:Thumbnails>"
DESCRIBING = frozenset((
    0x010D, 0x010E, 0x010F, 0x0110, 0x011D, 0x0131, 0x0132, 0x013B, 0x013C, 0x4746, 0x4749,
    0x8298, 0x83BB, 0x8769, 0x8825, 0x9C9B, 0x9C9C, 0x9C9D, 0x9C9E, 0x9C9F,
))  # fmt: skip
"""Tags of a TIFF that describe the picture and not the file: the maker, the time, EXIF, GPS."""


def picture_exif(image: Image.Image, size: tuple[int, int]) -> bytes | None:
    """The EXIF block of an opened file, made to fit the upright picture.

    Parameters
    ----------
    image
        As Pillow has opened it.
    size
        ``(height, width)`` of the upright picture.

    Returns
    -------
    bytes or None
        Without the prefix ``Exif``; None where there is none, or none that can be read.
    """
    block = image.info.get("exif")
    if not isinstance(block, bytes):
        try:
            block = _written_anew(image)
        except Exception:  # a broken block is no reason to refuse the picture
            return None
    return upright_exif(block, size) if block else None


def upright_exif(block: bytes, size: tuple[int, int] | None = None) -> bytes | None:
    """A raw EXIF block with orientation 1, without its thumbnail, and with the picture's size.

    The thumbnail would show the background that was removed.

    Parameters
    ----------
    block
        With or without the prefix ``Exif``.
    size
        ``(height, width)`` of the upright picture.

    Returns
    -------
    bytes or None
        Without the prefix; None where the block cannot be read.
    """
    data = bytearray(block.removeprefix(PREFIX))
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(bytes(data[:4]))
    try:
        if order is not None:
            _make_upright(data, order, size)
            return bytes(data)
    except (struct.error, IndexError):
        pass
    return None


def picture_xmp(image: Image.Image) -> bytes | None:
    """The XMP packet of an opened file with orientation 1; None where there is none."""
    packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    if isinstance(packet, str):
        packet = packet.encode()
    return upright_xmp(packet) if isinstance(packet, bytes) and packet else None


def upright_xmp(packet: bytes) -> bytes:
    """An XMP packet that says what the pixels say: they are upright. Thumbnails are taken out.

    Examples
    --------
    >>> upright_xmp(b'<rdf:Description tiff:Orientation="6"/>')
    b'<rdf:Description tiff:Orientation="1"/>'
    """
    opening, closing = _XMP_THUMBNAILS
    first, last = packet.find(opening), packet.rfind(closing)
    if 0 <= first < last:
        packet = packet[:first] + packet[last + len(closing) :]
    return _XMP_ORIENTATION.sub(rb"\g<1>1", packet)


def _written_anew(image: Image.Image) -> bytes | None:
    """The block of a picture that Pillow holds in parts: a TIFF, whose tags are its EXIF."""
    found = image.getexif()
    if not found:
        return None
    kept = Image.Exif()
    for tag in found:
        if tag in DESCRIBING:
            is_directory = tag in (_EXIF, 0x8825)
            kept[tag] = found.get_ifd(tag) if is_directory else found[tag]
    return kept.tobytes() if len(kept) else None


def _make_upright(data: bytearray, order: str, size: tuple[int, int] | None) -> None:
    (start,) = struct.unpack_from(f"{order}I", data, 4)
    places = dict(_entries(data, order, start))
    for tag, at in places.items():
        if tag == _ORIENTATION:
            if _number(data, order, at) >= 5 and places.keys() >= set(_RESOLUTIONS):
                _swap(data, *(places[resolution] + 2 for resolution in _RESOLUTIONS))
            _set_number(data, order, at, 1)
        elif tag == _EXIF and size is not None:
            for inner, place in _entries(data, order, _number(data, order, at)):
                if inner in (_WIDTH, _HEIGHT):
                    _set_number(data, order, place, size[inner == _WIDTH])
    (count,) = struct.unpack_from(f"{order}H", data, start)
    link = start + 2 + 12 * count
    (second,) = struct.unpack_from(f"{order}I", data, link)
    if second:
        struct.pack_into(f"{order}I", data, link, 0)
        _blank_thumbnail(data, order, second)


def _entries(data: bytearray, order: str, start: int) -> Iterator[tuple[int, int]]:
    """Tags of a directory, each with the place of its entry."""
    (count,) = struct.unpack_from(f"{order}H", data, start)
    for at in range(start + 2, start + 2 + 12 * count, 12):
        (tag,) = struct.unpack_from(f"{order}H", data, at)
        yield tag, at


def _number(data: bytearray, order: str, at: int) -> int:
    kind, _, value = struct.unpack_from(f"{order}HI4s", data, at + 2)
    (number,) = struct.unpack_from(order + ("H" if kind == _SHORT else "I"), value)
    return int(number)


def _set_number(data: bytearray, order: str, at: int, number: int) -> None:
    (kind,) = struct.unpack_from(f"{order}H", data, at + 2)
    if kind == _SHORT and number < 1 << 16:
        struct.pack_into(f"{order}HH", data, at + 8, number, 0)
    else:
        struct.pack_into(f"{order}HII", data, at + 2, _LONG, 1, number)


def _swap(data: bytearray, one: int, other: int) -> None:
    """Exchange what two entries say, all but their tags."""
    data[one : one + 10], data[other : other + 10] = (
        data[other : other + 10],
        data[one : one + 10],
    )


def _blank_thumbnail(data: bytearray, order: str, second: int) -> None:
    """Cut off the second directory and its picture where they end the block; else overwrite."""
    places = dict(_entries(data, order, second))
    if _THUMBNAIL not in places or _THUMBNAIL_BYTES not in places:
        return
    first = _number(data, order, places[_THUMBNAIL])
    last = min(len(data), first + _number(data, order, places[_THUMBNAIL_BYTES]))
    if last == len(data) and first > second:
        del data[first:]
    else:
        data[first:last] = bytes(max(0, last - first))
