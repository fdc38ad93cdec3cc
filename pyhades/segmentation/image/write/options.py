"""How a result is written, and what is refused before anything is done for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pyhades.arguments import check_count, check_flag, one_of
from pyhades.errors import ArgumentError, ImageError
from pyhades.segmentation.image.png import Compression
from pyhades.segmentation.image.write.formats import FORMATS, WriteFormat, format_of

Bits = Literal[8, 16]


@dataclass(frozen=True)
class WriteOptions:
    """How a result is written.

    Attributes
    ----------
    png
        Speed against size, of PNG alone: see :func:`~pyhades.segmentation.image.png.encode_png`.
    quality
        1 to 100, of formats that lose something; None for that of the format. WebP, which is
        written without loss by default, loses something where a quality is given.
    lossless
        Whether WebP loses nothing; None to do what ``quality`` says.
    bits
        Per channel. 16 for PNG and TIFF: colours of 16-bit pictures as they are, and a matte that
        is rounded to 65536 levels.
    strip
        Leave out EXIF and XMP: camera, time, place. The colour profile and the resolution stay.

    Examples
    --------
    >>> WriteOptions(quality=80).quality
    80
    """

    png: Compression = "fast"
    quality: int | None = None
    lossless: bool | None = None
    bits: Bits = 8
    strip: bool = False

    def __post_init__(self) -> None:
        one_of("png", self.png, Compression)
        one_of("bits", self.bits, Bits)
        check_flag("strip", self.strip)
        if self.lossless is not None:
            check_flag("lossless", self.lossless)
        if self.quality is not None and check_count("quality", self.quality) > 100:
            raise ArgumentError(f"quality={self.quality} is above 100")

    @property
    def webp_loses(self) -> bool:
        """Whether WebP is to lose something."""
        return self.lossless is False or (self.lossless is None and self.quality is not None)


def check_output(
    suffix: str,
    output: str = "rgba",
    background: object | None = None,
    options: WriteOptions | None = None,
) -> WriteFormat:
    """The format of results; ArgumentError where it cannot hold what is asked for.

    Parameters
    ----------
    suffix
        Of the file: ``".png"``.
    output
        ``"rgba"``, or something in grey, such as ``"mask"``.
    background
        Whatever the foreground is put on; None for transparency.
    options
        How it is written.

    Examples
    --------
    >>> check_output(".webp").name
    'WEBP'
    >>> check_output(".jpg")
    Traceback (most recent call last):
        ...
    pyhades.errors.ArgumentError: JPEG has no transparency; write PNG or WebP, or give a background
    """
    kind = format_of(suffix)
    options = options or WriteOptions()
    if output != "rgba" and background is not None:
        raise ArgumentError(f"output={output!r} has no colours to put on a background")
    if kind.alpha == "none" and output == "rgba" and background is None:
        raise ArgumentError(
            f"{kind.name} has no transparency; write PNG or WebP, or give a background"
        )
    if options.bits not in kind.depths:
        able = [other.name for other in FORMATS if options.bits in other.depths]
        raise ArgumentError(
            f"bits={options.bits}: {kind.name} has {kind.depths[0]} bits a channel; "
            f"write {' or '.join(able)}"
        )
    _check_loss(kind, options)
    return kind


def _check_loss(kind: WriteFormat, options: WriteOptions) -> None:
    if options.quality is not None and not kind.quality:
        able = [other.name for other in FORMATS if other.quality and other.is_available]
        raise ArgumentError(
            f"quality={options.quality}: {kind.name} loses nothing; quality is for "
            f"{', '.join(able)}"
        )
    if options.png != "fast" and kind.name != "PNG":
        raise ArgumentError(f"png={options.png!r} is for PNG, not for {kind.name}")
    if options.lossless and options.quality is not None:
        raise ArgumentError("lossless=True leaves no quality to choose; give one of the two")
    can_choose = kind.lossless == "by default"
    is_lossless = kind.lossless == "always"
    if options.lossless not in (None, is_lossless) and not can_choose:
        always = "loses nothing" if is_lossless else "always loses something"
        raise ArgumentError(f"lossless={options.lossless}: {kind.name} {always}; write WebP")


def check_size(size: tuple[int, int], kind: WriteFormat, name: str = "image") -> None:
    """ImageError where a picture is larger than its format can hold.

    Parameters
    ----------
    size
        ``(height, width)`` in pixels.
    kind
        The format.
    name
        What to call the picture.

    Examples
    --------
    >>> check_size((4, 17_000), format_of(".webp"))
    Traceback (most recent call last):
        ...
    pyhades.errors.ImageError: image: 17000 x 4 pixels; WEBP holds 16383 along a side; write PNG
    """
    height, width = size
    if max(size) > kind.max_side:
        raise ImageError(
            f"{name}: {width} x {height} pixels; {kind.name} holds {kind.max_side} along a side; "
            "write PNG"
        )
    if height * width > kind.max_pixels:
        raise ImageError(
            f"{name}: {width} x {height} pixels; {kind.name} holds {kind.max_pixels:,}; write PNG"
        )
