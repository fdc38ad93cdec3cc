"""Files of several frames or pages: from one file to one file, a frame at a time."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from pyhades.errors import SeveralFramesError
from pyhades.segmentation.buffers import FRESH, Buffers
from pyhades.segmentation.image.frames import frames
from pyhades.segmentation.image.limits import MAX_PIXELS
from pyhades.segmentation.image.loaded import LoadedImage
from pyhades.segmentation.image.reading import ImageLike, encoded, load_image


@dataclass(frozen=True)
class Animation:
    """A file of several frames or pages, which are read as they are asked for.

    Attributes
    ----------
    first
        The first of them.
    rest
        Those that follow; good once.
    """

    first: LoadedImage
    rest: Iterator[LoadedImage]

    def __iter__(self) -> Iterator[LoadedImage]:
        return itertools.chain([self.first], self.rest)


def load_whole(
    image: ImageLike,
    *,
    first_frame: bool = False,
    max_pixels: int = MAX_PIXELS,
    name: str | None = None,
    buffers: Buffers = FRESH,
) -> LoadedImage | Animation:
    """A picture, or all frames of a file that has several.

    Parameters
    ----------
    image, first_frame, max_pixels, name, buffers
        See :func:`~pyhades.segmentation.image.reading.load_image`.

    Raises
    ------
    ImageError
        It cannot be read.

    Examples
    --------
    >>> import numpy as np
    >>> load_whole(np.zeros((2, 3, 3), np.uint8)).size
    (2, 3)
    """
    if hasattr(image, "read"):  # which a pipe allows once
        image, name = encoded(image, name)
    try:
        return load_image(
            image, first_frame=first_frame, max_pixels=max_pixels, name=name, buffers=buffers
        )
    except SeveralFramesError:
        several = frames(image, max_pixels=max_pixels, name=name)
        return Animation(next(several), several)
