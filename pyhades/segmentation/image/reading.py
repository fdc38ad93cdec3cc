"""Reading images: whatever a caller has, as uint8 RGB with what must survive on the way out."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pyhades.arguments import one_of
from pyhades.errors import ArgumentTypeError
from pyhades.segmentation.buffers import FRESH, Buffers
from pyhades.segmentation.image.arrays import ValueRange, checked_range, from_array
from pyhades.segmentation.image.decoding import decode, decode_jpeg
from pyhades.segmentation.image.limits import MAX_PIXELS
from pyhades.segmentation.image.loaded import LoadedImage
from pyhades.segmentation.image.opening import open_header
from pyhades.segmentation.image.pages import at_page, frame_of, pages_of, refuse_several
from pyhades.segmentation.image.sources import read_open_file, read_path

ChannelOrder = Literal["rgb", "bgr"]
ImageLike = (
    str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | Image.Image | NDArray[Any]
)


def load_image(
    image: ImageLike,
    *,
    channel_order: ChannelOrder = "rgb",
    value_range: ValueRange | None = None,
    first_frame: bool = False,
    max_pixels: int = MAX_PIXELS,
    name: str | None = None,
    buffers: Buffers = FRESH,
) -> LoadedImage:
    """Decode and normalise ``image``.

    Parameters
    ----------
    image
        A path, encoded bytes, a binary file object, a PIL image (the frame at which it stands), or
        an array of shape ``[h, w]``, ``[h, w, 1]``, ``[h, w, 3]`` or ``[h, w, 4]`` (straight
        alpha).
    channel_order
        Of arrays only: ``"bgr"`` for what OpenCV returns.
    value_range
        Which numbers are black and white, of arrays and images that do not say it: ``(0, 1)`` for
        most float arrays, ``(0, 4095)`` for those of a camera of 12 bits. uint8 and uint16 mean
        0..255 and 0..65535 by default.
    first_frame
        Take the first of several frames or pages; such files are refused otherwise. See
        :func:`~pyhades.segmentation.image.frames.frames` for all of them.
    max_pixels
        Larger images are refused before they are decoded.
    name
        Replaces the file name in messages.
    buffers
        Where memory for files and for the pixels of JPEG comes from.

    Raises
    ------
    ImageError
        The image is broken, too large, empty, has several frames, or is of a kind that has no clear
        meaning as RGB.
    MissingImageError
        There is no such file; also caught as ``FileNotFoundError``.
    ArgumentTypeError
        ``image`` is none of the above.

    Examples
    --------
    >>> load_image(np.array([[0.0, 0.5, 1.0]]), value_range=(0, 1)).rgb[0, :, 0]
    array([  0, 128, 255], dtype=uint8)
    """
    one_of("channel_order", channel_order, ChannelOrder)
    numbers = None if value_range is None else checked_range(value_range)
    if isinstance(image, np.ndarray):
        return from_array(image, channel_order, numbers, max_pixels, name or "array")
    if isinstance(image, Image.Image):
        name = name or getattr(image, "filename", "") or "PIL image"
        return decode(image, str(name), max_pixels, value_range=numbers)
    data, name = encoded(image, name, buffers)
    header = open_header(data, max_pixels, name)
    if jpeg := decode_jpeg(data, header, name, buffers):
        return jpeg
    return _decode_file(data, header, numbers, first_frame, max_pixels, name)


def encoded(
    image: ImageLike, name: str | None, buffers: Buffers = FRESH
) -> tuple[bytes | memoryview, str]:
    """The bytes of a file, and what to call it; ArgumentTypeError for what is no file."""
    if isinstance(image, str | os.PathLike):
        return read_path(image, buffers), name or os.fsdecode(image)
    if isinstance(image, bytes | bytearray | memoryview):
        return _as_bytes(memoryview(image)), name or "image bytes"
    if not isinstance(image, np.ndarray | Image.Image) and hasattr(image, "read"):
        name = name or str(getattr(image, "name", "file"))
        return read_open_file(image, name), name
    raise ArgumentTypeError(
        "image: expected a path, bytes, a binary file object, a PIL image or a NumPy array, "
        f"got {type(image).__name__}"
    )


def _as_bytes(view: memoryview) -> memoryview:
    """The same as plain bytes, one after the other, whatever the shape."""
    is_plain = view.ndim == 1 and view.itemsize == 1 and view.contiguous
    return view if is_plain else memoryview(view.tobytes())


def _decode_file(
    data: bytes | memoryview,
    header: Image.Image,
    numbers: ValueRange | None,
    first_frame: bool,
    max_pixels: int,
    name: str,
) -> LoadedImage:
    pages = pages_of(header, max_pixels, name)
    if not first_frame:
        refuse_several(pages, header.format, name)

    def again() -> Image.Image:
        return at_page(open_header(data, max_pixels, name), pages[0], max_pixels, name)

    loaded = decode(
        at_page(header, pages[0], max_pixels, name),
        name, max_pixels, value_range=numbers, again=again,
    )  # fmt: skip
    frame = frame_of(header, 0, pages)
    return loaded if frame is None else replace(loaded, frame=frame)
