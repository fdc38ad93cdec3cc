"""Colour profiles: what the colours of a file mean in sRGB, which is what networks know."""

from __future__ import annotations

import hashlib
import io
import threading
from collections import OrderedDict
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

Space = Literal["RGB", "L", "CMYK", "LAB"]
"""Of a profile, by the mode of Pillow's that has it."""

_SPACES: dict[bytes, Space] = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK", b"Lab ": "LAB"}
_PROBES = np.indices((9, 9, 9)).reshape(3, 81, 9).transpose(1, 2, 0) * 255 // 8
_ALIKE = 3
"""Of 255: profiles that are called sRGB differ by this much from each other."""
_TRANSFORMS_KEPT = 8


class _Kept(threading.local):
    """Transforms of this thread, as those of lcms remember the last colour."""

    def __init__(self) -> None:
        self.transforms: OrderedDict[tuple[bytes, str], Any] = OrderedDict()


_kept = _Kept()


def profile_of(info: dict[Any, Any]) -> bytes | None:
    """The profile in the ``info`` of an image of Pillow's, if it is one that can be used."""
    profile = info.get("icc_profile")
    return profile if isinstance(profile, bytes) and usable(profile) else None


def space_of(profile: bytes | None) -> Space | None:
    """Which colours a profile is for."""
    return None if profile is None else _SPACES.get(profile[16:20])


@lru_cache(maxsize=64)
def usable(profile: bytes) -> bool:
    """Whether there is a way from a profile to sRGB; a broken one is as good as none."""
    space = space_of(profile)
    if space is None:
        return False
    try:
        _build(profile, space)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return False
    return True


@lru_cache(maxsize=64)
def is_srgb(profile: bytes | None) -> bool:
    """Whether RGB colours of a profile are those of sRGB, as far as one sees.

    Measured by colours, and not told by names, of which there are many.

    Examples
    --------
    >>> is_srgb(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    True
    """
    if profile is None or space_of(profile) != "RGB" or not usable(profile):
        return True
    probes = np.ascontiguousarray(_PROBES, np.uint8)
    change = np.abs(_converted(probes, profile).astype(np.int16) - probes)
    return int(change.max()) <= _ALIKE


def to_srgb(rgb: NDArray[np.uint8], profile: bytes | None) -> NDArray[np.uint8]:
    """RGB colours in a profile as sRGB; uint8 ``[h, w, 3]``, the same array where nothing changes.

    Perceptual, as the profile defines it.
    """
    return rgb if is_srgb(profile) else _converted(rgb, profile or b"")


def image_to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """A grey, CMYK or LAB image with a profile for it, as RGB in sRGB."""
    converted: Image.Image = _transform(profile, image.mode).apply(image)
    return converted


def lab_to_srgb(image: Image.Image) -> Image.Image:
    """An image of mode LAB as RGB in sRGB."""
    return image_to_srgb(image, _lab_profile())


@lru_cache(maxsize=1)
def _lab_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()


def _converted(rgb: NDArray[np.uint8], profile: bytes) -> NDArray[np.uint8]:
    return np.asarray(_transform(profile, "RGB").apply(Image.fromarray(rgb)))


def _transform(profile: bytes, mode: str) -> Any:
    key = hashlib.blake2b(profile, digest_size=16).digest(), mode
    transforms = _kept.transforms
    if key not in transforms:
        transforms[key] = _build(profile, mode)
        if len(transforms) > _TRANSFORMS_KEPT:
            transforms.popitem(last=False)
    transforms.move_to_end(key)
    return transforms[key]


def _build(profile: bytes, mode: str) -> Any:
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
