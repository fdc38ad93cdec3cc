"""Backgrounds to put a cut-out on."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageOps

from pyhades import kernels
from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.segmentation.image.loaded import LoadedImage
from pyhades.segmentation.image.reading import load_image
from pyhades.segmentation.image.write.spaces import Colour, converted, converted_colour

BackgroundLike = str | os.PathLike[str] | Colour | Image.Image | NDArray[Any]

BLUR_SIDE = 480
"""Longer side, in pixels, at which a blurred background is computed."""
BLUR_RADIUS = 8
"""Of each of three box filters at that size; together nearly a Gaussian of sigma 8.5."""


def parse_colour(text: str) -> Colour | None:
    """``"#fff"``, ``"rgb(1, 2, 3)"`` or a CSS name as RGB; None if ``text`` is not a colour."""
    try:
        red, green, blue, *alpha = ImageColor.getrgb(text)
    except ValueError:
        return None
    if alpha and alpha[0] != 255:
        raise ArgumentError(f"background={text!r}: expected an opaque colour")
    return red, green, blue


class Background:
    """A background in any accepted form, read once and fitted to each image.

    Parameters
    ----------
    value
        ``"blur"`` (the image itself, out of focus), a colour (name, ``"#rrggbb"`` or a triple of
        0..255), or an image (a path, a PIL image, an array), scaled and cropped to cover. Colours
        are sRGB, and so are images without a profile; they are shown as such on a picture with
        another.
    """

    def __init__(self, value: BackgroundLike) -> None:
        self.colour: Colour | None = None
        self.picture: LoadedImage | None = None
        self._placed: tuple[bytes | None, Image.Image] | None = None
        self.is_blur = isinstance(value, str) and value == "blur"
        if self.is_blur:
            return
        if isinstance(value, tuple | list):
            self.colour = _check_triple(value)
        elif isinstance(value, str | os.PathLike | Image.Image | np.ndarray):
            self.colour = parse_colour(value) if isinstance(value, str) else None
            if self.colour is None:
                if isinstance(value, str) and not os.path.exists(value):  # noqa: PTH110
                    raise ArgumentError(
                        f"background={value!r} is neither 'blur' nor a colour nor an image file"
                    )
                self.picture = load_image(value)
        else:
            raise ArgumentTypeError(
                f"background: expected 'blur', a colour or an image, got {type(value).__name__}"
            )

    def render(
        self,
        rgb: NDArray[np.uint8],
        alpha: NDArray[np.uint8],
        icc_profile: bytes | None = None,
    ) -> Colour | NDArray[np.uint8]:
        """Fit it to an image: a colour, or uint8 ``[h, w, 3]``, in the image's colour space.

        Parameters
        ----------
        rgb, alpha
            The image and its matte.
        icc_profile
            Of the space that ``rgb`` is in; None for sRGB.
        """
        if self.colour is not None:
            return converted_colour(self.colour, icc_profile)
        if self.picture is not None:
            size = (rgb.shape[1], rgb.shape[0])
            picture = self._in_space(self.picture, icc_profile)
            return np.asarray(ImageOps.fit(picture, size, Image.Resampling.BICUBIC))
        return blur_background(rgb, alpha)

    def _in_space(self, picture: LoadedImage, icc_profile: bytes | None) -> Image.Image:
        """The picture in a colour space, kept for the next image, which is likely to have it."""
        placed = self._placed
        if placed is None or placed[0] != icc_profile:
            colours = converted(picture.rgb, picture.icc_profile, icc_profile)
            placed = self._placed = icc_profile, Image.fromarray(colours)
        return placed[1]


def composite_over(
    rgba: NDArray[np.uint8], background: Colour | NDArray[np.uint8], **options: Any
) -> NDArray[np.uint8]:
    """Put straight-alpha ``rgba`` over a colour or an image; uint8 ``[h, w, 3]``."""
    rgb, alpha = np.ascontiguousarray(rgba[..., :3]), np.ascontiguousarray(rgba[..., 3])
    composite: NDArray[np.uint8] = kernels.composite(rgb, alpha, background, **options)
    return composite


def blur_background(rgb: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Show what is behind the foreground, out of focus; uint8 ``[h, w, 3]``.

    Only pixels without any foreground count, so that it does not glow around its own edge.
    """
    height, width = alpha.shape
    factor = min(1.0, BLUR_SIDE / max(height, width))
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    box = Image.Resampling.BOX
    visible = Image.fromarray((alpha == 0).view(np.uint8) * np.uint8(255)).resize(size, box)
    # A little of everything stays, for pictures that are foreground all over.
    weight = np.asarray(visible, np.float32)[..., None] / 255 + np.float32(1e-3)
    colour = np.asarray(Image.fromarray(rgb).resize(size, box), np.float32)
    terms = np.concatenate([colour * weight, weight], axis=2)
    for _ in range(3):
        terms = _box_average(_box_average(terms, 0), 1)
    blurred = np.clip(terms[..., :3] / terms[..., 3:] + 0.5, 0, 255).astype(np.uint8)
    return np.asarray(Image.fromarray(blurred).resize((width, height), Image.Resampling.BILINEAR))


def _box_average(values: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    padding = [(0, 0)] * values.ndim
    padding[axis] = (BLUR_RADIUS + 1, BLUR_RADIUS)
    window = 2 * BLUR_RADIUS + 1
    running = np.cumsum(np.pad(values, padding, mode="edge"), axis=axis, dtype=np.float64)
    length = values.shape[axis]
    last = np.take(running, np.arange(window, window + length), axis)
    first = np.take(running, np.arange(length), axis)
    return ((last - first) / window).astype(np.float32)


def _check_triple(value: Any) -> Colour:
    if len(value) != 3 or not all(isinstance(v, int | np.integer) and 0 <= v <= 255 for v in value):
        raise ArgumentError(
            f"background={value!r}: expected three integers in 0..255 (red, green, blue)"
        )
    red, green, blue = (int(v) for v in value)
    return red, green, blue
