"""Which frames or pages a file has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PIL import Image

from pyhades.errors import ImageError, SeveralFramesError
from pyhades.segmentation.image.limits import limited
from pyhades.segmentation.image.loaded import Frame

_SUBFILE = 254
"""Tag of a TIFF page; its lowest bit marks a smaller copy of another page."""
_ANIMATED = ("GIF", "WEBP", "PNG", "AVIF")
"""Formats whose frames follow each other in time, also where it is not said how fast."""
_SINGLE = ("JPEG", "MPO", "BMP", "DIB", "PPM", "QOI", "ICO", "TGA")
"""Formats with one picture; what follows it in an MPO are views and maps of the same."""


def pages_of(image: Image.Image, max_pixels: int, name: str) -> Sequence[int]:
    """Numbers of the frames that count; at least one."""
    if image.format in _SINGLE:
        return (0,)
    try:
        with limited(max_pixels, name):
            if not getattr(image, "is_animated", False):
                return (0,)
            count: int = getattr(image, "n_frames", 1)
            if image.format == "TIFF":
                return _full_pages(image, count) or range(count)
            first = 1 if image.info.get("default_image") and count > 1 else 0
            return range(first, count)
    except ImageError:
        raise
    except Exception as error:
        raise ImageError(f"{name}: the frames of the file cannot be counted ({error})") from error


def at_page(image: Image.Image, index: int, max_pixels: int, name: str) -> Image.Image:
    """The same image, at another frame."""
    try:
        with limited(max_pixels, name):
            if image.tell() != index:
                image.seek(index)
    except ImageError:
        raise
    except Exception as error:
        raise ImageError(f"{name}: frame {index} cannot be read ({error})") from error
    return image


def frame_of(image: Image.Image, index: int, pages: Sequence[int]) -> Frame | None:
    """What a decoded image says of itself as a frame; None where it is alone."""
    if len(pages) == 1:
        return None
    loop = image.info.get("loop")
    shown = _milliseconds(image.info.get("duration"))
    return Frame(
        index,
        len(pages),
        shown if shown is not None or image.format not in _ANIMATED else 0.0,
        loop if isinstance(loop, int) else None,
    )


def refuse_several(pages: Sequence[int], file_format: str | None, name: str) -> None:
    """SeveralFramesError where several frames are, and nobody said what to do with them."""
    if len(pages) > 1:
        what = "pages" if file_format == "TIFF" else "frames"
        raise SeveralFramesError(
            f"{name}: the file has {len(pages)} {what}; read them all with "
            "pyhades.segmentation.image.frames.frames(), or the first alone by first_frame=True "
            "(--first-frame)"
        )


def _full_pages(image: Any, count: int) -> list[int]:
    found = []
    for index in range(count):
        image.seek(index)
        if not image.tag_v2.get(_SUBFILE, 0) & 1:
            found.append(index)
    image.seek(0)
    return found


def _milliseconds(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and value >= 0 else None
