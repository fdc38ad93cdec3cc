"""What is done to a matte and to its picture between the network and the file."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyhades.arguments import check_count, check_flag, one_of
from pyhades.errors import ArgumentError, ArgumentTypeError, ImageError
from pyhades.segmentation.finish import contour, regions
from pyhades.segmentation.finish.amounts import Amount, check_amount, check_between, pixels_of
from pyhades.segmentation.finish.grey import Only, grey
from pyhades.segmentation.finish.layout import Layout, subject_box, with_margin
from pyhades.segmentation.finish.refine import Refinement
from pyhades.segmentation.finish.shadow import Shadow

Pixels = NDArray[np.uint8]

LARGEST_SIDE = 65_500
"""Of results, in pixels: no format that is written takes much more."""
LARGEST_RESULT = 250_000_000
"""Pixels of a result."""
FURTHEST = 1000
"""Pixels that a contour is moved or softened by."""


@dataclass(frozen=True)
class Finish:
    """Steps between the network and the file, done in this order; each is off by default.

    Attributes
    ----------
    refine
        Take the edges of the matte from the picture; True for a
        :class:`~pyhades.segmentation.finish.Refinement` with its defaults.
    threshold
        Opaque from this opacity on, above 0 and at most 1; nothing below it.
    largest
        Keep only the largest part of the foreground.
    specks
        Remove parts of fewer pixels, or of a smaller share of the picture (``"0.1%"``).
    fill_holes
        Make background that is enclosed by foreground opaque. True for all, or the size of the
        largest that is filled, in pixels or as a share of the picture.
    choke
        Draw the contour in by so many pixels; out where it is negative.
    feather
        Soften the contour by a Gaussian of so many pixels.
    crop
        Show only the box around the subject.
    margin
        On each side of that box, as far as the picture goes: pixels, or a share of the longer side
        of the box (``"5%"``).
    long_side
        Bring the longer side to so many pixels.
    canvas
        ``(width, height)`` of the result, in whose middle the picture is put; it is made smaller
        where it does not fit. Transparent where no background is given.
    shadow
        A soft shadow; True for a :class:`~pyhades.segmentation.finish.Shadow` with its defaults.
        It ends where the result ends: a margin or a canvas gives it room.
    only
        The matte alone: ``"alpha"`` as it is, ``"mask"`` as 0 and 255, ``"trimap"`` as 0, 255 and
        128 where matting is to decide.
    trimap_band
        How far the 128 of a trimap goes to either side of the contour, in pixels of the result; by
        default a hundredth of its longer side.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        A value makes no sense, or two of them do not together.

    Examples
    --------
    >>> Finish(crop=True, margin="5%", long_side=800)
    Finish(crop=True, margin='5%', long_side=800)
    >>> Finish(threshold=128)
    Traceback (most recent call last):
        ...
    pyhades.errors.ArgumentError: threshold=128 must be above 0 and at most 1 (of opacity)
    """

    refine: Refinement | bool = False
    threshold: float | None = None
    largest: bool = False
    specks: Amount = 0
    fill_holes: Amount | bool = False
    choke: int = 0
    feather: float = 0.0
    crop: bool = False
    margin: Amount = 0
    long_side: int | None = None
    canvas: tuple[int, int] | None = None
    shadow: Shadow | bool = False
    only: Only | None = None
    trimap_band: int | None = None

    def __post_init__(self) -> None:
        for name in ("largest", "crop"):
            check_flag(name, getattr(self, name))
        self._set("refine", _object("refine", self.refine, Refinement))
        self._set("shadow", _object("shadow", self.shadow, Shadow))
        self._check_matte()
        self._check_layout()
        self._check_output()

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def _check_matte(self) -> None:
        if self.threshold is not None:
            level = check_between("threshold", self.threshold, 0, 1, " (of opacity)")
            self._set("threshold", level)
        self._set("specks", check_amount("specks", self.specks))
        if not isinstance(self.fill_holes, bool):
            self._set("fill_holes", check_amount("fill_holes", self.fill_holes, least=1))
        _check_most("choke", abs(check_count("choke", self.choke, least=-FURTHEST)), FURTHEST)
        if self.feather != 0:
            self._set("feather", check_between("feather", self.feather, 0, FURTHEST, " pixels"))

    def _check_layout(self) -> None:
        self._set("margin", check_amount("margin", self.margin))
        if self.margin and not self.crop:
            raise ArgumentError(f"margin={self.margin!r} is one around a crop; add crop=True")
        if self.long_side is not None:
            _check_most("long_side", check_count("long_side", self.long_side), LARGEST_SIDE)
        if self.canvas is not None:
            if not isinstance(self.canvas, tuple | list) or len(self.canvas) != 2:
                raise ArgumentTypeError(f"canvas={self.canvas!r}: expected (width, height)")
            width, height = (check_count("canvas", side) for side in self.canvas)
            _check_most("canvas", max(width, height), LARGEST_SIDE)
            _check_most("the pixels of canvas", width * height, LARGEST_RESULT)
            self._set("canvas", (width, height))

    def _check_output(self) -> None:
        if self.only is not None:
            one_of("only", self.only, Only)
            if self.shadow:
                raise ArgumentError(f"only={self.only!r} is the matte alone, without a shadow")
        if self.trimap_band is not None:
            _check_most("trimap_band", check_count("trimap_band", self.trimap_band), FURTHEST)
            if self.only != "trimap":
                raise ArgumentError("trimap_band= is for only='trimap'")

    def __repr__(self) -> str:
        given = ((f.name, getattr(self, f.name)) for f in fields(self))
        off = {f.name: f.default for f in fields(self)}
        told = (f"{name}={value!r}" for name, value in given if value != off[name])
        return f"Finish({', '.join(told)})"

    def matte(self, rgb: Pixels, alpha: Pixels, *, made_at: int | None = None) -> Pixels:
        """The matte after the steps from ``refine`` to ``feather``, at the size of the picture.

        Parameters
        ----------
        rgb
            uint8 ``[height, width, 3]``.
        alpha
            uint8 ``[height, width]``; it is not written to, and returned where no step is on.
        made_at
            Longer side at which the network made the matte.
        """
        if isinstance(self.refine, Refinement):
            alpha = self.refine.apply(rgb, alpha, made_at=made_at)
        if self.threshold is not None:
            alpha = contour.threshold(alpha, self.threshold)
        if self.largest:
            alpha = regions.keep_largest(alpha)
        if self.specks:
            alpha = regions.remove_specks(alpha, pixels_of(self.specks, alpha.size))
        if self.fill_holes:
            every = self.fill_holes is True
            most = None if every else pixels_of(self.fill_holes, alpha.size)
            alpha = regions.fill_holes(alpha, most)
        if self.choke:
            alpha = contour.choke(alpha, self.choke)
        return contour.feather(alpha, self.feather) if self.feather else alpha

    def layout(self, alpha: Pixels, name: str = "image") -> Layout | None:
        """What is shown of a picture with this matte; None for all of it, as it is.

        Raises
        ------
        ImageError
            There is no subject to crop to, or the result would be too large.
        """
        if self.keeps_size:
            return None
        height, width = alpha.shape
        box = (0, 0, width, height)
        if self.crop:
            subject = subject_box(alpha)
            if subject is None:
                raise ImageError(f"{name}: there is no subject to crop to, the matte is empty")
            box = with_margin(subject, self.margin, (height, width))
        layout = Layout.of(box, long_side=self.long_side, canvas=self.canvas)
        if layout.size[0] * layout.size[1] > LARGEST_RESULT:
            raise ImageError(f"{name}: long_side={self.long_side} makes it too large")
        return layout

    @property
    def keeps_size(self) -> bool:
        """Whether a result is as large as its picture."""
        return not self.crop and self.long_side is None and self.canvas is None

    def grey(self, alpha: Pixels) -> Pixels:
        """The matte alone, as ``only`` says; ``alpha`` is that of the result."""
        level = 0.5 if self.threshold is None else self.threshold
        return grey(alpha, self.only or "alpha", level=level, band=self.trimap_band)


def _object(name: str, value: Any, kind: type) -> Any:
    """An object of a kind, or False; True for one with its defaults."""
    if isinstance(value, kind):
        return value
    if not isinstance(value, bool | np.bool_):
        raise ArgumentTypeError(f"{name}={value!r}: expected True, False or a {kind.__name__}")
    return kind() if value else False


def _check_most(name: str, value: int, most: int) -> None:
    if value > most:
        raise ArgumentError(f"{name}={value} must be at most {most}")
