"""Cut-outs of 16 bits: the colours of deep pictures, and mattes finer than 256 levels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyhades.segmentation.image.loaded import LoadedImage
from pyhades.segmentation.manifest import ModelManifest
from pyhades.segmentation.matte import upscale_float

Pixels = NDArray[np.uint8]
DeepPixels = NDArray[np.uint16]

WIDER = 257
"""From 0..255 to 0..65535."""
_ROWS = 256  # that are worked on at once, so that what is in between stays small


@dataclass(frozen=True)
class Prediction:
    """What the network said, from which a matte was made.

    Attributes
    ----------
    plane
        float32 in 0..1, at the size that the network gives.
    manifest
        How it is enlarged.
    alpha
        The matte of 8 bits that was made of it.
    """

    plane: NDArray[np.float32]
    manifest: ModelManifest
    alpha: Pixels


def deep_alpha(
    image: LoadedImage, alpha: Pixels, prediction: Prediction | None, **options: Any
) -> DeepPixels:
    """The matte with 16 bits; uint16 ``[h, w]``.

    From the prediction where ``alpha`` is what was made of it; a matte that somebody has changed
    since, or brought along, has only its 256 levels.
    """
    if prediction is None or prediction.alpha is not alpha:
        return alpha.astype(np.uint16) * np.uint16(WIDER)
    fine: NDArray[np.float32] = upscale_float(
        prediction.plane, image.size, prediction.manifest, **options
    )
    if image.deep_alpha is not None:
        fine = fine * (image.deep_alpha.astype(np.float32) / np.float32(65535))
    elif image.alpha is not None:
        fine = fine * (image.alpha.astype(np.float32) / np.float32(255))
    return (fine * np.float32(65535) + np.float32(0.5)).astype(np.uint16)


def deep_rgba(
    image: LoadedImage, rgba: Pixels, alpha: DeepPixels, *, keep_hidden: bool
) -> DeepPixels:
    """The cut-out with 16 bits; uint16 ``[h, w, 4]``.

    Parameters
    ----------
    image
        The picture; without deep colours, its own are widened.
    rgba
        The cut-out with 8 bits. Colours of the foreground are estimated there; how they differ
        from the picture's is applied to the deep colours where the matte is soft.
    alpha
        The matte with 16 bits.
    keep_hidden
        Keep colours where the matte is zero.
    """
    result = np.empty((*alpha.shape, 4), np.uint16)
    for rows in _strips(len(alpha)):
        colours = _deep(image, rows)
        level = rgba[rows, :, 3:]
        change = rgba[rows, :, :3].astype(np.int32) - image.rgb[rows]
        colours += np.where((level > 0) & (level < 255), change * WIDER, 0)
        if not keep_hidden:
            colours[alpha[rows] == 0] = 0
        result[rows, :, :3] = np.clip(colours, 0, 65535)
        result[rows, :, 3] = alpha[rows]
    return result


def deep_over(rgba: DeepPixels, behind: tuple[int, int, int] | Pixels) -> DeepPixels:
    """A cut-out on a colour, or on a picture of its size, of 8 bits; uint16 ``[h, w, 3]``."""
    result = np.empty((*rgba.shape[:2], 3), np.uint16)
    for rows in _strips(len(rgba)):
        back = np.asarray(behind if isinstance(behind, tuple) else behind[rows], np.uint32) * WIDER
        front, alpha = rgba[rows, :, :3].astype(np.uint32), rgba[rows, :, 3:].astype(np.uint32)
        # The sum stays below 2**32: it is at most 65535 * 65535 + 32767.
        result[rows] = (front * alpha + back * (65535 - alpha) + 32767) // 65535
    return result


def _deep(image: LoadedImage, rows: slice) -> NDArray[np.int32]:
    if image.deep is not None:
        return image.deep[rows].astype(np.int32)
    return image.rgb[rows].astype(np.int32) * WIDER


def _strips(height: int) -> Iterator[slice]:
    return (slice(first, first + _ROWS) for first in range(0, height, _ROWS))
