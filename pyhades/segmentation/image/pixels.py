"""A decoded image of Pillow's, of any mode, as colours and transparency."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pyhades.errors import ImageError
from pyhades.segmentation.image.arrays import ValueRange, as_samples, to_eight_bit
from pyhades.segmentation.image.colour import image_to_srgb, lab_to_srgb, profile_of, space_of
from pyhades.segmentation.image.depth import deep_colours
from pyhades.segmentation.image.grey import grey_to_srgb

_GREY = ("1", "L", "LA", "La")
_COLOURS = ("P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "YCbCr", "HSV")
_SUPPORTED = "1, L, LA, La, I;16, I;16B, I;16L, P, PA, RGB, RGBA, RGBa, RGBX, CMYK, YCbCr, HSV, LAB"
_SAMPLE_SCALES = {"L;2": 85, "L;4": 17}
"""What samples of few bits are multiplied by, which Pillow does to pixels and not to the key."""
_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0


@dataclass(frozen=True)
class Pixels:
    """Fields of a :class:`~pyhades.segmentation.image.loaded.LoadedImage`."""

    rgb: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None = None
    icc_profile: bytes | None = None
    deep: NDArray[np.uint16] | None = None
    deep_alpha: NDArray[np.uint16] | None = None

    def mapped(self, change: Callable[[NDArray[Any]], NDArray[Any]]) -> dict[str, Any]:
        """All of them by name, the arrays after a change."""
        return {
            name: change(value) if isinstance(value, np.ndarray) else value
            for name, value in vars(self).items()
        }


def split(
    image: Image.Image,
    name: str,
    *,
    raw: str = "",
    again: Callable[[], Image.Image] | None = None,
    value_range: ValueRange | None = None,
) -> Pixels:
    """Take a decoded image apart.

    Parameters
    ----------
    image
        Decoded.
    name
        For messages.
    raw
        See :func:`~pyhades.segmentation.image.depth.raw_mode`.
    again
        Opens the same file once more, where there is one.
    value_range
        Of images that hold other numbers than colours of 8 or 16 bits.
    """
    mode, profile = image.mode, profile_of(image.info)
    space = space_of(profile)
    if mode in ("I", "F") or mode.startswith("I;16"):
        return _of_numbers(image, profile, raw, value_range, name)
    if mode == "CMYK":
        in_srgb = profile is not None and space == "CMYK"
        return Pixels(_rgb(image_to_srgb(image, profile or b"") if in_srgb else image))
    if mode == "LAB":
        return Pixels(_rgb(lab_to_srgb(image)))
    if mode not in _GREY + _COLOURS:
        raise ImageError(
            f"{name}: images of mode {mode!r} have no defined meaning as RGB; "
            f"convert to one of {_SUPPORTED}"
        )
    kept = profile if space == "RGB" else None
    if again is not None and (deep := deep_colours(image, raw, again, name)):
        return _of_deep(image, *deep, profile if space == "L" and raw == "LA;16B" else kept)
    rgb, alpha = _colours(image, raw)
    if profile is not None and space == "L" and mode in _GREY:
        rgb = _rgb(image_to_srgb(_plain(image).convert("L"), profile))
    return Pixels(rgb, alpha, kept)


def _colours(image: Image.Image, raw: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    key = image.info.get("transparency")
    if image.mode in ("1", "L", "RGB") and isinstance(key, int | tuple):
        rgb, colour = _rgb(image), np.array(key) * _SAMPLE_SCALES.get(raw, 1)
        # Of 16 bits, of which an image of Pillow's has the upper eight alone.
        return rgb, _keyed(rgb, colour >> 8 if colour.max() > 255 else colour)
    if not image.has_transparency_data:
        return _rgb(image), None
    rgba = np.asarray(_plain(image).convert("RGBA"))
    return np.ascontiguousarray(rgba[..., :3]), np.ascontiguousarray(rgba[..., 3])


def _keyed(samples: NDArray[Any], key: Any) -> NDArray[np.uint8]:
    """Transparent where pixels have one colour, as some files say it."""
    seen: NDArray[np.uint8] = (samples != np.array(key)).any(axis=-1) * np.uint8(255)
    return seen


def _of_deep(
    image: Image.Image,
    deep: NDArray[np.uint16],
    deep_alpha: NDArray[np.uint16] | None,
    profile: bytes | None,
) -> Pixels:
    key = image.info.get("transparency")
    if deep_alpha is None and key is not None:
        deep_alpha = _keyed(deep, key) * np.uint16(257)
    alpha = None if deep_alpha is None else to_eight_bit(deep_alpha)
    if profile is not None and space_of(profile) == "L":
        rgb, wide = grey_to_srgb(deep[..., 0], profile)
        return Pixels(rgb, alpha, None, wide, deep_alpha)
    return Pixels(to_eight_bit(deep), alpha, profile, deep, deep_alpha)


def _of_numbers(
    image: Image.Image, profile: bytes | None, raw: str, value_range: ValueRange | None, name: str
) -> Pixels:
    """One number per pixel: 16 bits of grey, or whatever ``value_range`` says."""
    deep = _grey_of(image, raw, value_range, name)
    key = image.info.get("transparency")
    has_key = isinstance(key, int) and value_range is None
    deep_alpha = _keyed(deep[..., None], key) * np.uint16(257) if has_key else None
    alpha = None if deep_alpha is None else to_eight_bit(deep_alpha)
    if profile is not None and space_of(profile) == "L":
        rgb, wide = grey_to_srgb(deep, profile)
        return Pixels(rgb, alpha, None, wide, deep_alpha)
    kept = profile if space_of(profile) == "RGB" else None
    return Pixels(_three(to_eight_bit(deep)), alpha, kept, _three(deep), deep_alpha)


def _three(grey: NDArray[Any]) -> NDArray[Any]:
    return np.repeat(grey[..., None], 3, axis=2)


def _grey_of(
    image: Image.Image, raw: str, value_range: ValueRange | None, name: str
) -> NDArray[np.uint16]:
    numbers = np.asarray(image)
    if value_range is None and image.mode == "F":
        raise ImageError(
            f"{name}: images of mode 'F' have no defined range; say what is black and white by "
            "value_range, such as value_range=(0, 1)"
        )
    if value_range is None and image.mode == "I":
        if numbers.min() < 0 or numbers.max() > 65535:
            raise ImageError(
                f"{name}: samples outside 0..65535 in a {image.mode!r} image; say what is black "
                "and white by value_range"
            )
        numbers = numbers.astype(np.uint16)  # some files of 16 bits are opened so
    # What files of 16 bits hold they define; of numbers in memory nobody knows how they were made.
    defined = image.format is not None and (image.mode != "I" or image.format == "PPM")
    if value_range is not None or not defined:
        numbers = as_samples(numbers, value_range, name)
    deep = numbers * np.uint16(257) if numbers.dtype == np.uint8 else numbers.astype(np.uint16)
    if value_range is None and raw == "I;12":
        deep = np.rint(deep * (65535 / 4095)).astype(np.uint16)
    return 65535 - deep if _is_negative(image) else deep


def _is_negative(image: Image.Image) -> bool:
    """Whether the largest number is black, which Pillow heeds for 8 bits alone."""
    tags: Any = getattr(image, "tag_v2", None) or {}
    return image.format == "TIFF" and bool(tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO)


def _plain(image: Image.Image) -> Image.Image:
    """Without multiplied alpha, from which there is no way to RGBA for grey."""
    straight = {"La": "LA", "RGBa": "RGBA"}.get(image.mode)
    return image.convert(straight) if straight else image


def _rgb(image: Image.Image) -> NDArray[np.uint8]:
    return np.array(image if image.mode == "RGB" else image.convert("RGB"))
