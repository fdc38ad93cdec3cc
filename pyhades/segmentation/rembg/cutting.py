"""From a picture and its mask to the cut-outs that rembg makes of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pyhades import kernels
from pyhades.arguments import check_count
from pyhades.errors import ArgumentError
from pyhades.segmentation.finish import Refinement
from pyhades.segmentation.image.loaded import LoadedImage
from pyhades.segmentation.rembg.masks import eroded

Pixels = NDArray[np.uint8]


def multiplied(image: LoadedImage, mask: Pixels) -> Pixels:
    """Colours and opacity times the mask: what rembg does by default, with its dark edges."""
    colours = image.rgb if image.alpha is None else np.dstack([image.rgb, image.alpha])
    picture = Image.fromarray(colours)
    nothing = Image.new("RGBA", picture.size, 0)
    return np.asarray(Image.composite(picture, nothing, Image.fromarray(mask)))


def with_alpha(image: LoadedImage, mask: Pixels) -> Pixels:
    """The colours as they are, with the mask as their opacity."""
    return np.dstack([image.rgb, _seen(image, mask)])


def decontaminated(image: LoadedImage, mask: Pixels) -> Pixels:
    """The foreground's own colours, with the mask as their opacity."""
    return kernels.cut_out(image.rgb, _seen(image, mask), estimate_foreground=True)


@dataclass(frozen=True)
class Matting:
    """Alpha matting by a guided filter, within the bounds that rembg's three numbers set.

    Attributes
    ----------
    foreground, background
        Levels above and below which a mask is sure.
    erode
        Side of the square, in pixels, by which what is sure is drawn in.
    made_at
        Longer side, in pixels, at which the mask was made.
    """

    foreground: int
    background: int
    erode: int
    made_at: int | None = None

    def __post_init__(self) -> None:
        for name in ("foreground", "background"):
            check_count(f"alpha_matting_{name}_threshold", getattr(self, name), least=0)
        check_count("alpha_matting_erode_size", self.erode, least=0)

    def cut(self, image: LoadedImage, mask: Pixels) -> Pixels:
        """The cut-out by the refined mask, with the foreground's own colours."""
        return decontaminated(image, self.refined(image.rgb, mask))

    def refined(self, rgb: Pixels, mask: Pixels) -> Pixels:
        """The mask, refined where it is not sure; uint8 ``[height, width]``."""
        result = Refinement().apply(rgb, mask, made_at=self.made_at)
        result[eroded(mask > self.foreground, self.erode, beyond=False)] = 255
        result[eroded(mask < self.background, self.erode, beyond=True)] = 0
        return result


def on_colour(cutout: Pixels, colour: object) -> Pixels:
    """A cut-out on a colour of red, green, blue and opacity; uint8 ``[height, width, 4]``."""
    values = tuple(colour) if isinstance(colour, tuple | list | np.ndarray) else ()
    whole = all(isinstance(value, int | np.integer) and 0 <= value <= 255 for value in values)
    if len(values) not in (3, 4) or not whole:
        raise ArgumentError(f"bgcolor={colour!r}: expected four integers in 0..255")
    red, green, blue, *opacity = map(int, values)
    behind = (red, green, blue, *(opacity or (255,)))
    picture = Image.fromarray(cutout)
    return np.asarray(Image.alpha_composite(Image.new("RGBA", picture.size, behind), picture))


def _seen(image: LoadedImage, mask: Pixels) -> Pixels:
    """The mask times the opacity that the picture came with."""
    if image.alpha is None:
        return mask
    product = mask.astype(np.uint16) * image.alpha
    return ((product + 127) // 255).astype(np.uint8)
