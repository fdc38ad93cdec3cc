"""The formats that results are written in, and what each can hold."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal

from PIL import Image, features

from pyhades.errors import ArgumentError

Lossless = Literal["always", "by default", "never"]


@dataclass(frozen=True)
class WriteFormat:
    """A format, and what of a picture it holds.

    Attributes
    ----------
    name
        What Pillow calls it.
    suffixes
        Of its files; the first is the usual one.
    alpha
        Transparency: none, as many levels as colours have, or only all or nothing.
    depths
        Bits per channel.
    lossless
        Whether pixels come out as they went in.
    quality
        Whether there is something to choose between size and likeness.
    metadata
        Whether it holds a colour profile, EXIF and XMP. Without a profile, colours are written as
        sRGB.
    frames
        What several pictures in a file are: an animation, pages, or nothing.
    max_side
        Most pixels along a side.
    max_pixels
        Most pixels.
    """

    name: str
    suffixes: tuple[str, ...]
    alpha: Literal["none", "levels", "on or off"] = "levels"
    depths: tuple[int, ...] = (8,)
    lossless: Lossless = "always"
    quality: bool = False
    metadata: bool = True
    frames: Literal["none", "animation", "pages"] = "none"
    max_side: int = 2**31 - 1
    max_pixels: int = 2**62

    @property
    def is_available(self) -> bool:
        """Whether what is installed here can write it."""
        if self.name == "AVIF":
            return bool(features.check("avif"))
        return self.name != "HEIF" or _heif_is_written()


_LOSSY: dict[str, Any] = {"lossless": "never", "quality": True}
FORMATS = (
    WriteFormat("PNG", (".png", ".apng"), depths=(8, 16), frames="animation"),
    WriteFormat(
        "WEBP", (".webp",), lossless="by default", quality=True, frames="animation",
        max_side=16_383,
    ),
    WriteFormat("JPEG", (".jpg", ".jpeg", ".jfif", ".jpe"), "none", max_side=65_500, **_LOSSY),
    WriteFormat("TIFF", (".tif", ".tiff"), depths=(8, 16), frames="pages"),
    # The limits of AVIF are those within which libavif reads it again.
    WriteFormat(
        "AVIF", (".avif",), frames="animation", max_side=32_768, max_pixels=16_384**2, **_LOSSY
    ),
    WriteFormat(
        "GIF", (".gif",), "on or off", lossless="never", metadata=False, frames="animation",
        max_side=65_535,
    ),
    WriteFormat("BMP", (".bmp", ".dib"), "none", metadata=False),
    WriteFormat("HEIF", (".heic", ".heif"), max_side=16_384, **_LOSSY),
)  # fmt: skip
"""Everything that can be written, the usual ones first."""

_BY_SUFFIX = {suffix: kind for kind in FORMATS for suffix in kind.suffixes}
FILE_FORMATS = {suffix: kind.name for suffix, kind in _BY_SUFFIX.items()}
"""Names of formats by the suffixes of files."""


def format_of(suffix: str) -> WriteFormat:
    """The format of files whose names end in ``suffix``.

    Raises
    ------
    ArgumentError
        There is none, or it needs something that is not installed.

    Examples
    --------
    >>> format_of(".JPG").alpha
    'none'
    """
    kind = _BY_SUFFIX.get(suffix.lower())
    if kind is None:
        known = ", ".join(kind.suffixes[0] for kind in FORMATS if kind.is_available)
        raise ArgumentError(f"suffix={suffix!r}: cannot write such files; choose one of {known}")
    if not kind.is_available:
        package = "pillow-heif" if kind.name == "HEIF" else "a Pillow that was built with libavif"
        raise ArgumentError(f"writing {suffix} files needs {package}; or write PNG or WebP")
    return kind


@functools.cache
def _heif_is_written() -> bool:
    if "HEIF" not in Image.SAVE and find_spec("pillow_heif"):
        import pillow_heif

        pillow_heif.register_heif_opener()
    return "HEIF" in Image.SAVE
