"""From an opened image of Pillow's to a picture of ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pyhades.errors import ImageError
from pyhades.segmentation.buffers import Buffers
from pyhades.segmentation.image.arrays import ValueRange
from pyhades.segmentation.image.colour import profile_of, space_of
from pyhades.segmentation.image.depth import raw_mode, refuse_planes
from pyhades.segmentation.image.limits import check_pixels, limited
from pyhades.segmentation.image.loaded import LoadedImage
from pyhades.segmentation.image.metadata import picture_exif, picture_xmp
from pyhades.segmentation.image.opening import dpi_of, load_pixels, orientation_of
from pyhades.segmentation.image.pixels import split


def decode(
    image: Image.Image,
    name: str,
    max_pixels: int,
    *,
    value_range: ValueRange | None = None,
    again: Callable[[], Image.Image] | None = None,
) -> LoadedImage:
    """Decode the frame at which an opened image stands.

    Parameters
    ----------
    image
        Of Pillow's; it is decoded and not changed otherwise.
    name, max_pixels, value_range
        See :func:`~pyhades.segmentation.image.reading.load_image`.
    again
        Opens the same frame of the same file once more; None where there is no file.
    """
    check_pixels(image.width, image.height, max_pixels, name)
    with limited(max_pixels, name):
        raw, in_file = raw_mode(image), orientation_of(image)
        refuse_planes(image, name)
        load_pixels(image, name)
        check_pixels(image.width, image.height, max_pixels, name)
        orientation = orientation_of(image)  # a TIFF is upright by now
        try:
            pixels = split(image, name, raw=raw, again=again, value_range=value_range)
        except ImageError:
            raise
        except Exception as error:  # palettes that are too short, and the like
            raise ImageError(f"{name}: the image data is corrupt ({error})") from error
    fields = pixels.mapped(lambda array: upright(array, orientation))
    rgb: NDArray[np.uint8] = fields["rgb"]
    exif = picture_exif(image, (rgb.shape[0], rgb.shape[1]))
    dpi, xmp = dpi_of(image, in_file), picture_xmp(image)
    return LoadedImage(**fields, dpi=dpi, name=name, exif=exif, xmp=xmp)


def decode_jpeg(
    data: bytes | memoryview, header: Image.Image, name: str, buffers: Buffers
) -> LoadedImage | None:
    """The short way for the files that most are; None where Pillow has to read it."""
    if header.format not in ("JPEG", "MPO") or header.mode not in ("RGB", "L"):
        return None
    profile = profile_of(header.info)
    if header.mode == "L" and space_of(profile) == "L":
        return None
    rgb = _decompressed(data, (header.height, header.width), buffers)
    if rgb is None:
        return None
    orientation = orientation_of(header)
    rgb = upright(rgb, orientation)
    return LoadedImage(
        rgb,
        icc_profile=profile if space_of(profile) == "RGB" else None,
        dpi=dpi_of(header, orientation),
        name=name,
        exif=picture_exif(header, (rgb.shape[0], rgb.shape[1])),
        xmp=picture_xmp(header),
    )


def upright(array: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Apply an EXIF orientation: 5 to 8 swap the axes, then each is one of four mirrorings."""
    if orientation == 1:
        return array
    if orientation >= 5:
        array = array.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    return np.ascontiguousarray(array)


def _decompressed(
    data: bytes | memoryview, size: tuple[int, int], buffers: Buffers
) -> NDArray[np.uint8] | None:
    """By libjpeg-turbo; None where it is stricter than Pillow, whose turn it is then."""
    import simplejpeg

    rgb = buffers.array("rgb", (*size, 3), np.uint8)
    try:
        decoded = simplejpeg.decode_jpeg(data, "RGB", buffer=rgb, strict=True)
    except ValueError:
        return None
    return rgb if decoded.shape == rgb.shape else np.array(decoded)
