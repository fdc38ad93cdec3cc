"""A soft shadow below a cut-out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ImageColor

from pyhades.arguments import check_count
from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.segmentation.finish.amounts import check_between
from pyhades.segmentation.finish.contour import feather

Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int]

STRIP = 128
FURTHEST = 10_000
"""Largest offset and blur in pixels."""


@dataclass(frozen=True)
class Shadow:
    """A soft shadow, in pixels of the result.

    Attributes
    ----------
    offset
        ``(right, down)``: how far it lies from the subject.
    blur
        Sigma of the Gaussian that softens it; 0 leaves it hard.
    opacity
        Of the shadow of what is opaque, above 0 and at most 1.
    colour
        ``(red, green, blue)`` or a name or code, such as ``"navy"`` or ``"#203040"``.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        A value is none of these.

    Examples
    --------
    >>> Shadow((0, 8), blur=6, opacity=0.5, colour="navy").colour
    (0, 0, 128)
    """

    offset: tuple[int, int] = (0, 12)
    blur: float = 12.0
    opacity: float = 0.4
    colour: Colour | str = (0, 0, 0)

    def __post_init__(self) -> None:
        if not isinstance(self.offset, tuple | list) or len(self.offset) != 2:
            raise ArgumentTypeError(f"offset={self.offset!r}: expected (right, down) in pixels")
        right, down = (check_count("offset", n, least=-FURTHEST) for n in self.offset)
        if max(right, down) > FURTHEST:
            raise ArgumentError(f"offset={self.offset!r} is further than {FURTHEST} pixels")
        object.__setattr__(self, "offset", (right, down))
        if self.blur != 0:
            object.__setattr__(self, "blur", check_between("blur", self.blur, 0, FURTHEST))
        object.__setattr__(self, "opacity", check_between("opacity", self.opacity, 0, 1))
        object.__setattr__(self, "colour", _colour(self.colour))

    def under(self, rgba: NDArray[Any]) -> NDArray[Any]:
        """The cut-out ``[h, w, 4]``, straight alpha, with the shadow below it; a new array.

        It may have 8 or 16 bits.
        """
        opacity = rgba[..., 3]
        cast = self.cast_by(opacity if rgba.dtype == np.uint8 else (opacity >> 8).astype(np.uint8))
        result = np.empty_like(rgba)
        for top in range(0, len(rgba), STRIP):
            rows = slice(top, top + STRIP)
            _merged(rgba[rows], cast[rows], self._rgb, result[rows])
        return result

    def cast_by(self, alpha: Pixels) -> Pixels:
        """Opacity of the shadow of a matte; uint8 ``[h, w]``."""
        moved = _moved(alpha, *self.offset)
        soft = feather(moved, self.blur) if self.blur else moved
        levels = np.arange(256) * self.opacity + 0.5
        return levels.astype(np.uint8)[soft]

    @property
    def _rgb(self) -> Colour:
        assert not isinstance(self.colour, str)  # made so when it was checked
        return self.colour


def _colour(value: object) -> Colour:
    if isinstance(value, str):
        try:
            value = ImageColor.getrgb(value)
        except ValueError:
            raise ArgumentError(f"colour={value!r} is not the name or the code of one") from None
        if len(value) == 4:
            raise ArgumentError("colour: how transparent it is, is told by opacity=")
    if not isinstance(value, tuple | list) or len(value) != 3:
        raise ArgumentTypeError(f"colour={value!r}: expected a name, '#rrggbb' or (r, g, b)")
    red, green, blue = (check_count("colour", level, least=0) for level in value)
    if max(red, green, blue) > 255:
        raise ArgumentError(f"colour={value!r}: expected numbers of 0..255")
    return red, green, blue


def _moved(alpha: Pixels, right: int, down: int) -> Pixels:
    """Shifted, with nothing where nothing is known."""
    height, width = alpha.shape
    moved = np.zeros_like(alpha)
    if abs(right) < width and abs(down) < height:
        to_rows, from_rows = _overlap(down, height)
        to_columns, from_columns = _overlap(right, width)
        moved[to_rows, to_columns] = alpha[from_rows, from_columns]
    return moved


def _overlap(shift: int, length: int) -> tuple[slice, slice]:
    """Where things go, and where they come from."""
    target = slice(max(0, shift), length + min(0, shift))
    return target, slice(target.start - shift, target.stop - shift)


def _merged(rgba: NDArray[Any], cast: Pixels, colour: Colour, out: NDArray[Any]) -> None:
    """The foreground over the shadow, both with straight alpha, in whole numbers."""
    most = np.iinfo(rgba.dtype).max
    wide: type[Any] = np.uint32 if most == 255 else np.uint64
    shade: NDArray[Any] = np.array(colour, wide) * (most // 255)
    shadow = cast.astype(rgba.dtype) * (most // 255)
    out[...] = rgba
    alone = (rgba[..., 3] == 0) & (cast > 0)
    out[alone] = (*shade, 0)
    out[..., 3][alone] = shadow[alone]
    mixed = np.nonzero((rgba[..., 3] > 0) & (rgba[..., 3] < most) & (cast > 0))
    front: NDArray[Any] = rgba[mixed].astype(wide)
    opacity = front[:, 3] * most
    behind: NDArray[Any] = shadow[mixed].astype(wide) * (most - front[:, 3])
    total = opacity + behind  # of most * most
    colours = front[:, :3] * opacity[:, None] + shade * behind[:, None]
    result = np.empty((len(front), 4), rgba.dtype)
    result[:, :3] = (colours + total[:, None] // 2) // total[:, None]
    result[:, 3] = (total + most // 2) // most
    out[mixed] = result
