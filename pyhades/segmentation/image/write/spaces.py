"""Colours from one space into another."""

from __future__ import annotations

import functools
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

Colour = tuple[int, int, int]


def converted(
    rgb: NDArray[np.uint8], source: bytes | None, target: bytes | None
) -> NDArray[np.uint8]:
    """Colours of one space in another; uint8 ``[h, w, 3]``.

    Parameters
    ----------
    rgb
        uint8 ``[h, w, 3]``.
    source, target
        ICC profiles; None for sRGB. With one that is broken, colours stay as they are.

    Examples
    --------
    >>> converted(np.full((1, 1, 3), 9, np.uint8), None, None).tolist()
    [[[9, 9, 9]]]
    """
    if source == target:
        return rgb
    transform = _transform(source, target)
    if transform is None:
        return rgb
    return np.asarray(ImageCms.applyTransform(Image.fromarray(rgb), transform))


def converted_colour(colour: Colour, target: bytes | None) -> Colour:
    """A colour of sRGB in the space of a profile."""
    (((red, green, blue),),) = converted(np.array([[colour]], np.uint8), None, target).tolist()
    return red, green, blue


@functools.lru_cache(maxsize=8)
def _transform(source: bytes | None, target: bytes | None) -> ImageCms.ImageCmsTransform | None:
    """Made once for the many pictures that share a profile."""
    try:
        return ImageCms.buildTransform(_profile(source), _profile(target), "RGB", "RGB")
    except (ImageCms.PyCMSError, OSError):
        return None


def _profile(data: bytes | None) -> ImageCms.ImageCmsProfile:
    if data is None:
        return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    return ImageCms.ImageCmsProfile(io.BytesIO(data))
