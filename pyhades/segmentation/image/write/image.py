"""One picture, or several, as the content of a file."""

from __future__ import annotations

import numpy as np
from PIL import Image

from pyhades.segmentation.buffers import FRESH, Buffers
from pyhades.segmentation.image.png import Pixels, png_parts
from pyhades.segmentation.image.write.by_pillow import write_by_pillow
from pyhades.segmentation.image.write.formats import WriteFormat
from pyhades.segmentation.image.write.gif import gif_frame, write_gif
from pyhades.segmentation.image.write.info import Info
from pyhades.segmentation.image.write.options import WriteOptions, check_size
from pyhades.segmentation.image.write.spaces import converted
from pyhades.segmentation.image.write.tiff import write_tiff


def write_image(
    pixels: Pixels,
    kind: WriteFormat,
    info: Info,
    options: WriteOptions,
    *,
    exact: bool = False,
    threads: int | None = None,
    buffers: Buffers = FRESH,
) -> list[bytes]:
    """The content of a file, in pieces that follow one another.

    Parameters
    ----------
    pixels
        uint8 or, for formats that have them, uint16 ``[h, w]``, ``[h, w, 3]`` or ``[h, w, 4]``
        (straight alpha).
    kind
        The format.
    info
        What else goes into the file.
    options
        How it is written.
    exact
        Whether colours of transparent pixels count.
    threads
        Of encoders that have some.
    buffers
        Where arrays come from.

    Raises
    ------
    ImageError
        The picture is larger than the format can hold, or there is more about it.
    """
    check_size(pixels.shape[:2], kind, info.name)
    info = info.fitted(pixels.shape[:2])
    pixels = in_known_space(pixels, kind, info)
    if kind.name == "PNG":
        return png_parts(
            pixels, icc_profile=info.icc_profile, dpi=info.dpi, exif=info.exif, xmp=info.xmp,
            compression=options.png, buffers=buffers,
        )  # fmt: skip
    if kind.name == "TIFF":
        return write_tiff([(pixels, info)])
    if kind.name == "GIF":
        return write_gif([gif_frame(pixels)])
    return write_by_pillow(
        [Image.fromarray(pixels)], kind, info, options, exact=exact, threads=threads
    )


def in_known_space(pixels: Pixels, kind: WriteFormat, info: Info) -> Pixels:
    """The pixels, in sRGB where the format cannot say in which space they are."""
    if kind.metadata or info.icc_profile is None or pixels.ndim == 2:
        return pixels
    result = np.array(pixels, np.uint8)
    result[..., :3] = converted(np.ascontiguousarray(result[..., :3]), info.icc_profile, None)
    return result
