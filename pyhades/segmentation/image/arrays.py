"""Arrays of numbers as pictures: what they mean must be clear, or be said."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyhades.errors import ArgumentError, ImageError
from pyhades.segmentation.image.limits import check_pixels
from pyhades.segmentation.image.loaded import LoadedImage

ValueRange = tuple[float, float]

_OVERSHOOT = 0.1
"""Of the range: resampling goes beyond it by so much, anything else was not the range."""


def from_array(
    array: NDArray[Any],
    channel_order: str,
    value_range: ValueRange | None,
    max_pixels: int,
    name: str,
) -> LoadedImage:
    """An array of shape ``[h, w]`` or ``[h, w, c]``, of which the result is a copy."""
    array = np.asarray(array)  # a matrix, which is always flat, no longer is one
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise ImageError(
            f"{name}: shape {array.shape}; expected [h, w], [h, w, 1], [h, w, 3] or [h, w, 4]"
        )
    check_pixels(array.shape[1], array.shape[0], max_pixels, name)
    samples: NDArray[Any] = as_samples(array, value_range, name)
    if samples.ndim == 2 or samples.shape[2] == 1:
        samples = np.repeat(samples.reshape(*samples.shape[:2], 1), 3, axis=2)
    elif channel_order == "bgr":
        samples = samples[..., [2, 1, 0, 3][: samples.shape[2]]]
    colours, alpha = np.array(samples[..., :3], order="C"), None
    if samples.shape[2] == 4:
        alpha = np.array(samples[..., 3], order="C")
    if samples.dtype == np.uint8:
        return LoadedImage(colours, alpha, name=name)
    return LoadedImage(
        to_eight_bit(colours), None if alpha is None else to_eight_bit(alpha), name=name,
        deep=colours, deep_alpha=alpha,
    )  # fmt: skip


def as_samples(
    array: NDArray[Any], value_range: ValueRange | None, name: str
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Numbers as uint8 where they are, and as uint16 where they are more than that.

    Parameters
    ----------
    array
        Of any shape, any type of number, and any order of bytes.
    value_range
        The numbers that are black and white. By default those of uint8 and uint16; other types
        have none.
    name
        For messages.

    Raises
    ------
    ImageError
        It is not clear what the numbers mean.

    Examples
    --------
    >>> as_samples(np.array([0.0, 0.5, 1.0]), (0, 1), "array")
    array([    0, 32768, 65535], dtype=uint16)
    """
    if array.dtype.kind not in "biuf":
        raise ImageError(f"{name}: dtype {array.dtype} holds no numbers")
    native = array.astype(array.dtype.newbyteorder("="), copy=False)
    if value_range is not None:
        return _scaled(native, checked_range(value_range), name)
    if native.dtype == np.bool_:
        return native * np.uint8(255)
    if native.dtype == np.uint8:
        return native
    if native.dtype == np.uint16:
        largest = int(native.max(initial=0))
        if 0 < largest <= 255:
            raise ImageError(
                f"{name}: uint16, but no number in it is above {largest}; say what is white by "
                "value_range=(0, 255) or value_range=(0, 65535)"
            )
        return native
    raise ImageError(
        f"{name}: dtype {array.dtype}; expected uint8 (0..255) or uint16 (0..65535), "
        "or say which numbers are black and white by value_range, such as value_range=(0, 1)"
    )


def to_eight_bit(samples: NDArray[Any]) -> NDArray[np.uint8]:
    """0..65535 to 0..255, to the nearest."""
    return ((samples.astype(np.uint32) + 128) // 257).astype(np.uint8)


def checked_range(value_range: Any) -> ValueRange:
    """Two different finite numbers; else ArgumentError."""
    try:
        black, white = (float(value) for value in value_range)
    except (TypeError, ValueError):
        black = white = np.nan
    if not (np.isfinite(black) and np.isfinite(white) and black != white):
        raise ArgumentError(
            f"value_range={value_range!r}: expected two different numbers (black, white)"
        )
    return black, white


def _scaled(
    array: NDArray[Any], value_range: ValueRange, name: str
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    black, white = value_range
    if array.dtype == np.uint8 and value_range == (0, 255):
        return array
    share = (array.astype(np.float64) - black) / (white - black)
    least, most = share.min(initial=0), share.max(initial=1)
    if not (least >= -_OVERSHOOT and most <= 1 + _OVERSHOOT):  # also what is no number
        raise ImageError(
            f"{name}: the array holds {array.min()} to {array.max()}, which is not within "
            f"value_range=({black:g}, {white:g})"
        )
    deep = np.rint(np.clip(share, 0, 1) * 65535).astype(np.uint16)
    return to_eight_bit(deep) if value_range == (0, 255) and array.dtype.kind in "iu" else deep
