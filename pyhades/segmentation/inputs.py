"""What is given to a remover many at a time, and what it must not rely on."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from PIL import Image

from pyhades.errors import ArgumentTypeError
from pyhades.segmentation.image.loaded import LoadedImage
from pyhades.segmentation.image.reading import ImageLike

AnyImage = ImageLike | LoadedImage


def several(images: Iterable[AnyImage], what: str) -> Iterator[AnyImage]:
    """The same images, none of which changes when its producer goes on.

    They are read later than they are given, by other threads; until then, a producer that fills one
    array again and again would have overwritten it.

    Parameters
    ----------
    images
        What ``map`` was given.
    what
        Name of the argument.

    Raises
    ------
    ArgumentTypeError
        It is one image, which would be taken apart into letters, bytes or rows; or nothing that
        gives images.
    """
    if _is_one(images):
        raise ArgumentTypeError(
            f"{what}: expected several images, got one ({type(images).__name__}); "
            f"put it into a list, or call the remover with it"
        )
    if not isinstance(images, Iterable):
        raise ArgumentTypeError(
            f"{what}: expected something that gives images, such as a list, "
            f"got {type(images).__name__}"
        )
    return map(own, images)


def own(image: Any) -> Any:
    """The image, or a copy if whoever holds it may change it."""
    if isinstance(image, np.ndarray):
        return image.copy()
    if isinstance(image, bytearray | memoryview):
        return bytes(image)
    if isinstance(image, Image.Image) and _may_change(image):
        return _copied(image)
    return image


def _is_one(images: Any) -> bool:
    if isinstance(images, np.ndarray):
        return images.ndim < 3 or (images.ndim == 3 and images.shape[2] in (1, 3, 4))
    kinds = (str, bytes, bytearray, memoryview, os.PathLike, Image.Image, LoadedImage)
    return isinstance(images, kinds) or hasattr(images, "read")


def _may_change(image: Image.Image) -> bool:
    """Whether pixels are there to be changed, or another frame may take their place."""
    return not getattr(image, "tile", None) or bool(getattr(image, "is_animated", False))


def _copied(image: Image.Image) -> Image.Image:
    try:
        copy = image.copy()
    except Exception:  # of what is broken it is said in its turn
        return image
    copy.format = image.format
    return copy
