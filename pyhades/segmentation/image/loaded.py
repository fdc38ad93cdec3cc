"""A picture as the rest of the house sees it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class LoadedImage:
    """An upright 8-bit image.

    Attributes
    ----------
    rgb
        uint8, ``[height, width, 3]``, C-contiguous, straight (not premultiplied) colour.
    alpha
        uint8, ``[height, width]``: the transparency that the image came with, or None.
    icc_profile
        The RGB colour profile that ``rgb`` is in, or None.
    dpi
        ``(horizontal, vertical)`` resolution in dots per inch, or None.
    name
        What to call the image in messages.
    """

    rgb: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None = None
    icc_profile: bytes | None = None
    dpi: tuple[float, float] | None = None
    name: str = "image"

    @property
    def size(self) -> tuple[int, int]:
        """``(height, width)`` in pixels."""
        return self.rgb.shape[0], self.rgb.shape[1]
