"""Animations and files of several pages, frame by frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from PIL import Image

from pyhades.segmentation.image.arrays import ValueRange, checked_range
from pyhades.segmentation.image.decoding import decode
from pyhades.segmentation.image.limits import MAX_PIXELS
from pyhades.segmentation.image.loaded import LoadedImage
from pyhades.segmentation.image.opening import open_header
from pyhades.segmentation.image.pages import at_page, frame_of, pages_of
from pyhades.segmentation.image.reading import ImageLike, encoded, load_image

Opener = Callable[[], Image.Image]


def frames(
    image: ImageLike,
    *,
    value_range: ValueRange | None = None,
    max_pixels: int = MAX_PIXELS,
    name: str | None = None,
) -> Iterator[LoadedImage]:
    """Decode all frames of an animated GIF, WebP, PNG or AVIF, or all pages of a TIFF, lazily.

    Frames are as they are shown, on top of what was before; pages are by themselves, without the
    smaller copies that some files have.

    Parameters
    ----------
    image
        A path, encoded bytes, a binary file object, or a PIL image, which is read from its first
        frame on. A picture that is alone is one frame.
    value_range, max_pixels, name
        See :func:`~pyhades.segmentation.image.reading.load_image`; the limit is for each frame.

    Raises
    ------
    ImageError
        A frame cannot be read; those before it have been given.

    Examples
    --------
    >>> import io
    >>> red, blue = (Image.new("RGB", (4, 3), colour) for colour in ("red", "blue"))
    >>> red.save(file := io.BytesIO(), "GIF", save_all=True, append_images=[blue], duration=40)
    >>> [(each.frame.index, each.frame.duration) for each in frames(file.getvalue())]
    [(0, 40.0), (1, 40.0)]
    """
    numbers = None if value_range is None else checked_range(value_range)
    if isinstance(image, np.ndarray):
        return iter([load_image(image, value_range=numbers, max_pixels=max_pixels, name=name)])
    if isinstance(image, Image.Image):
        name = name or str(getattr(image, "filename", "") or "PIL image")
        return _decoded(image, None, numbers, max_pixels, name)
    data, name = encoded(image, name)
    called = name

    def opener() -> Image.Image:
        return open_header(data, max_pixels, called)

    header = opener()
    if header.format in ("JPEG", "MPO"):
        return iter([load_image(data, max_pixels=max_pixels, name=name)])
    return _decoded(header, opener, numbers, max_pixels, name)


def _decoded(
    image: Image.Image,
    opener: Opener | None,
    numbers: ValueRange | None,
    max_pixels: int,
    name: str,
) -> Iterator[LoadedImage]:
    pages = pages_of(image, max_pixels, name)
    for index, page in enumerate(pages):
        called = name if len(pages) == 1 else f"{name}[{index}]"
        loaded = decode(
            at_page(image, page, max_pixels, called),
            called,
            max_pixels,
            value_range=numbers,
            again=opener and _reopened(opener, page, max_pixels, called),
        )
        yield replace(loaded, frame=frame_of(image, index, pages))


def _reopened(opener: Opener, page: int, max_pixels: int, name: str) -> Opener:
    return lambda: at_page(opener(), page, max_pixels, name)
