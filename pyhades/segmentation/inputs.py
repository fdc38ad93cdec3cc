"""What is given to a remover many at a time, and what it must not rely on."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from PIL import Image

from pyhades.errors import ArgumentTypeError
from pyhades.segmentation.image.loaded import LoadedImage
from pyhades.segmentation.image.reading import ImageLike
from pyhades.segmentation.image.sources import read_open_file

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
    """The image, or what it is now if whoever holds it may change or close it.

    What cannot be read is returned as it is: the error belongs to the result.
    """
    if isinstance(image, np.ndarray):
        return image.copy()
    if isinstance(image, bytearray | memoryview):
        return bytes(image)
    try:
        if isinstance(image, Image.Image):
            return _copied(image)
        if hasattr(image, "read"):
            name = str(getattr(image, "name", "file"))
            return NamedBytes(read_open_file(image, name), name)
    except Exception:
        return image
    return image


class NamedBytes(io.BytesIO):
    """What was read from a file, under its name."""

    def __init__(self, data: bytes, name: str) -> None:
        super().__init__(data)
        self.name = name


def _is_one(images: Any) -> bool:
    if isinstance(images, np.ndarray):
        return images.ndim < 3 or (images.ndim == 3 and images.shape[2] in (1, 3, 4))
    kinds = (str, bytes, bytearray, memoryview, os.PathLike, Image.Image, LoadedImage)
    return isinstance(images, kinds) or hasattr(images, "read")


def _copied(image: Image.Image) -> Image.Image:
    copy = image.copy()
    copy.format = image.format  # of a file it is defined what its numbers mean
    return copy
