"""A cut-out's pixels after the steps that change what is shown: its part, its size, its shadow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyhades.segmentation.compose import Background
from pyhades.segmentation.finish.finish import Finish
from pyhades.segmentation.finish.layout import Layout
from pyhades.segmentation.finish.shadow import Shadow
from pyhades.segmentation.image.loaded import LoadedImage
from pyhades.segmentation.image.write.spaces import Colour

Pixels = NDArray[Any]


@dataclass(frozen=True)
class Finished:
    """What remains to be done once there are pixels.

    Attributes
    ----------
    steps
        All that was asked for; those up to the feather are in the matte already.
    layout
        What is shown of the picture; None for all of it, as it is.
    """

    steps: Finish
    layout: Layout | None

    def rgba(self, pixels: Pixels) -> Pixels:
        """The cut-out ``[h, w, 4]``, of 8 or 16 bits, as it is shown, with its shadow."""
        shown = self._laid_out(pixels)
        return self.steps.shadow.under(shown) if isinstance(self.steps.shadow, Shadow) else shown

    def grey(self, alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The matte as it is shown."""
        return self.steps.grey(self._laid_out(alpha))

    def deep_grey(self, alpha: NDArray[np.uint16]) -> NDArray[np.uint16]:
        """The same of 16 bits; masks and trimaps are decided with eight."""
        shown = self._laid_out(alpha)
        if self.steps.only in (None, "alpha"):
            return shown
        coarse = ((shown.astype(np.uint32) + 128) // 257).astype(np.uint8)
        return self.steps.grey(coarse).astype(np.uint16) * np.uint16(257)

    def behind(
        self, background: Background, image: LoadedImage, alpha: NDArray[np.uint8]
    ) -> Colour | NDArray[np.uint8]:
        """The background, as large as what is shown.

        A picture covers the whole result. What is made of the photograph itself lies where that
        lies, and goes on to the edges of a canvas.
        """
        if self.layout is None:
            return background.render(image.rgb, alpha, image.icc_profile)
        if background.is_blur:
            behind = np.asarray(background.render(image.rgb, alpha, image.icc_profile))
            return self.layout.apply(behind, edge=True)
        height, width = self.layout.size
        room = np.broadcast_to(np.zeros((1, 1, 3), np.uint8), (height, width, 3))
        return background.render(room, alpha, image.icc_profile)

    def _laid_out(self, pixels: Pixels) -> Pixels:
        return pixels if self.layout is None else self.layout.apply(pixels)
