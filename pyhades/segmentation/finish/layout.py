"""What part of a picture is shown, how large, and where on the canvas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pyhades.segmentation.finish.amounts import Amount, pixels_of

Pixels = NDArray[Any]
"""uint8 or uint16: ``[h, w]``, ``[h, w, 3]``, or ``[h, w, 4]`` with straight alpha."""
Box = tuple[int, int, int, int]

VISIBLE = 6
"""Of 255: what is weaker, less than two hundredths, does not count as the subject."""


def subject_box(alpha: NDArray[np.uint8]) -> Box | None:
    """``(left, top, right, bottom)`` around all that is visible; None where nothing is.

    Examples
    --------
    >>> subject_box(np.array([[0, 0, 0], [0, 255, 255]], np.uint8))
    (1, 1, 3, 2)
    """
    visible = alpha >= VISIBLE
    rows = np.flatnonzero(visible.any(axis=1))
    if not len(rows):
        return None
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    columns = np.flatnonzero(visible[top:bottom].any(axis=0))
    return int(columns[0]), top, int(columns[-1]) + 1, bottom


def with_margin(box: Box, margin: Amount, size: tuple[int, int]) -> Box:
    """The box with a margin on each side, as far as the picture of ``size`` (height, width) goes.

    A share is of the longer side of the box.
    """
    left, top, right, bottom = box
    more = pixels_of(margin, max(right - left, bottom - top))
    return (
        max(0, left - more),
        max(0, top - more),
        min(size[1], right + more),
        min(size[0], bottom + more),
    )


@dataclass(frozen=True)
class Layout:
    """From a picture to what is shown of it.

    Attributes
    ----------
    box
        ``(left, top, right, bottom)``: what is cut out of the picture.
    scaled
        ``(height, width)`` that it is brought to.
    size
        ``(height, width)`` of the result, in whose middle it lies.
    """

    box: Box
    scaled: tuple[int, int]
    size: tuple[int, int]

    @classmethod
    def of(
        cls, box: Box, *, long_side: int | None = None, canvas: tuple[int, int] | None = None
    ) -> Layout:
        """Plan it.

        Parameters
        ----------
        box
            What is cut out.
        long_side
            Length in pixels that its longer side is brought to.
        canvas
            ``(width, height)`` to centre it on. What is too large is made smaller, to fit.

        Examples
        --------
        >>> Layout.of((0, 0, 40, 20), long_side=100, canvas=(60, 60)).scaled
        (30, 60)
        """
        height, width = box[3] - box[1], box[2] - box[0]
        if long_side is not None:
            height, width = _by_factor(height, width, long_side, max(height, width))
        if canvas is None:
            return cls(box, (height, width), (height, width))
        if width > canvas[0] or height > canvas[1]:
            if width * canvas[1] >= height * canvas[0]:
                height, width = _by_factor(height, width, canvas[0], width)
            else:
                height, width = _by_factor(height, width, canvas[1], height)
        return cls(box, (height, width), (canvas[1], canvas[0]))

    def apply(self, pixels: Pixels, *, edge: bool = False) -> Pixels:
        """Show ``pixels``, which may have 8 or 16 bits.

        Around them there is nothing (zeros), or, with ``edge``, its outermost pixels go on. The
        result may share memory with ``pixels``.
        """
        left, top, right, bottom = self.box
        part = pixels[top:bottom, left:right]
        if part.shape[:2] != self.scaled:
            part = _resized(part, self.scaled)
        if self.scaled == self.size:
            return np.ascontiguousarray(part)
        over = [whole - side for whole, side in zip(self.size, self.scaled, strict=True)]
        around = [(space // 2, space - space // 2) for space in over]
        how: dict[str, Any] = {"mode": "edge"} if edge else {}
        return np.pad(part, around + [(0, 0)] * (part.ndim - 2), **how)


def _by_factor(height: int, width: int, wanted: int, side: int) -> tuple[int, int]:
    """Both sides times ``wanted / side``, rounded, and not nothing."""
    return tuple(max(1, (2 * n * wanted + side) // (2 * side)) for n in (height, width))  # type: ignore[return-value]


def _resized(part: Pixels, size: tuple[int, int]) -> Pixels:
    """By Pillow, which multiplies colours by their opacity first."""
    if part.dtype != np.uint8:
        return _resized_deep(part, size)
    picture = Image.fromarray(np.ascontiguousarray(part))
    return np.asarray(picture.resize(size[::-1], Image.Resampling.LANCZOS))


def _resized_deep(part: Pixels, size: tuple[int, int]) -> Pixels:
    """Plane by plane, as Pillow knows no colours of 16 bits."""
    planes = part.reshape(*part.shape[:2], -1)
    has_alpha = planes.shape[2] == 4
    opacity = planes[..., 3] / np.float32(65535) if has_alpha else np.float32(1)
    result: NDArray[np.float32] = np.empty((*size, planes.shape[2]), np.float32)
    for channel in range(planes.shape[2]):
        weight = opacity if channel < 3 else np.float32(1)
        plane = Image.fromarray(planes[..., channel] * weight)
        resized = plane.resize(size[::-1], Image.Resampling.LANCZOS)
        result[..., channel] = np.asarray(resized)
    if has_alpha:
        result[..., :3] /= np.maximum(result[..., 3:] / np.float32(65535), np.float32(1e-6))
    rounded: Pixels = np.clip(result + np.float32(0.5), 0, 65535).astype(np.uint16)
    return rounded.reshape(*size, *part.shape[2:])
