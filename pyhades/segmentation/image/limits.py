"""How large a picture may be, for us and for Pillow alike."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from PIL import Image

from pyhades.errors import ImageError

MAX_PIXELS = 250_000_000
"""Default limit on width times height, checked before anything is decoded."""


class _Ours(threading.local):
    """What holds for the picture that this thread is reading; nothing elsewhere."""

    name = ""
    max_pixels: int | None = None


_ours = _Ours()
_check_of_pillow = Image._decompression_bomb_check


def check_pixels(width: int, height: int, max_pixels: int, name: str) -> None:
    """ImageError for a picture that is too large, or empty."""
    if width < 1 or height < 1:
        raise ImageError(f"{name}: the image is {width} x {height} pixels")
    if width * height > max_pixels:
        raise ImageError(
            f"{name}: {width} x {height} = {width * height:,} pixels, "
            f"more than max_pixels={max_pixels:,}"
        )


@contextmanager
def limited(max_pixels: int, name: str) -> Iterator[None]:
    """Let Pillow measure sizes by ``max_pixels`` on this thread, in place of its own limit.

    Pillow's is one number for the whole process, with a warning at it and an error at twice it, and
    other threads may read pictures of their own meanwhile. So it stays as it is, and the function
    that looks at it, which all its plug-ins call, asks first whether the thread is one of ours.
    """
    before = _ours.name, _ours.max_pixels
    _ours.name, _ours.max_pixels = name, max_pixels
    try:
        yield
    finally:
        _ours.name, _ours.max_pixels = before


def _check(size: tuple[int, int], *args: Any, **options: Any) -> None:
    if _ours.max_pixels is None:
        _check_of_pillow(size, *args, **options)
    else:
        check_pixels(*size, _ours.max_pixels, _ours.name)


Image._decompression_bomb_check = _check
