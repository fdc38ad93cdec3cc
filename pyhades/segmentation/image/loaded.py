"""A picture as the rest of the house sees it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pyhades.segmentation.image.colour import is_srgb, to_srgb


@dataclass(frozen=True)
class Frame:
    """Where a picture stands among the frames or pages of its file.

    Attributes
    ----------
    index
        From 0.
    count
        Frames that the file has.
    duration
        Milliseconds that it is shown; None for pages.
    loop
        How often an animation is played, 0 without end; None where the file does not say.
    """

    index: int
    count: int
    duration: float | None = None
    loop: int | None = None


@dataclass(frozen=True)
class LoadedImage:
    """An upright image: 8-bit colours, and what else must survive on the way out.

    Attributes
    ----------
    rgb
        uint8, ``[height, width, 3]``, C-contiguous, straight (not premultiplied) colour, in the
        picture's own colour space.
    alpha
        uint8, ``[height, width]``: the transparency that the image came with, or None.
    icc_profile
        The RGB colour profile that ``rgb`` is in; None where it is taken for sRGB. Grey, CMYK and
        LAB pictures are converted to sRGB.
    dpi
        ``(horizontal, vertical)`` resolution in dots per inch, or None.
    name
        What to call the image in messages.
    deep
        uint16, ``[height, width, 3]``: ``rgb`` with 16 bits, where the image has them.
    deep_alpha
        uint16, ``[height, width]``: ``alpha`` with 16 bits, where the image has them.
    exif
        The EXIF block, raw, without an orientation (the pixels are upright) and without a
        thumbnail; None where there is none.
    frame
        Which frame of an animation, or page of a file, it is; None for a picture that is alone.
    xmp
        The XMP packet, which says nothing else of the orientation; None where there is none.
    """

    rgb: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None = None
    icc_profile: bytes | None = None
    dpi: tuple[float, float] | None = None
    name: str = "image"
    deep: NDArray[np.uint16] | None = None
    deep_alpha: NDArray[np.uint16] | None = None
    exif: bytes | None = None
    frame: Frame | None = None
    xmp: bytes | None = None

    @property
    def size(self) -> tuple[int, int]:
        """``(height, width)`` in pixels."""
        return self.rgb.shape[0], self.rgb.shape[1]

    @cached_property
    def shown(self) -> NDArray[np.uint8] | None:
        """``rgb`` in sRGB, which is what networks know; None where ``rgb`` is sRGB already."""
        return None if is_srgb(self.icc_profile) else to_srgb(self.rgb, self.icc_profile)

    @property
    def srgb(self) -> NDArray[np.uint8]:
        """The colours in sRGB; uint8 ``[height, width, 3]``."""
        return self.rgb if self.shown is None else self.shown
