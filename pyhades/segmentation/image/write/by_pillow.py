"""WebP, JPEG, AVIF, HEIF and BMP, which Pillow writes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from PIL import Image

from pyhades.errors import ImageError
from pyhades.segmentation.image.metadata import PREFIX
from pyhades.segmentation.image.write.formats import WriteFormat
from pyhades.segmentation.image.write.info import Info
from pyhades.segmentation.image.write.options import WriteOptions

QUALITY = {"JPEG": 95, "WEBP": 90, "AVIF": 85, "HEIF": 90}
"""Where none is given; of WebP, where it is to lose something."""
JPEG_EXIF, JPEG_XMP = 65_527, 65_504
"""Most bytes of each in a JPEG, whose segments have 16 bits for their lengths."""


def write_by_pillow(
    images: Sequence[Image.Image],
    kind: WriteFormat,
    info: Info,
    options: WriteOptions,
    *,
    exact: bool = False,
    threads: int | None = None,
    **animation: Any,
) -> list[bytes]:
    """The content of a file.

    Parameters
    ----------
    images
        A picture, or the frames of an animation.
    kind, info, options
        The format, what else goes into the file, and how it is written.
    exact
        Whether colours of transparent pixels count.
    threads
        Of encoders that have some.
    **animation
        What Pillow is told about frames.
    """
    first, *others = images
    saving = _saving(kind.name, options, exact, threads) | _beside(kind, info)
    if others:
        saving |= {"save_all": True, "append_images": others, **animation}
    buffer = io.BytesIO()
    try:
        first.save(buffer, kind.name, **saving)
    except (OSError, ValueError, MemoryError) as error:
        raise ImageError(f"{info.name}: {kind.name} cannot hold it ({error})") from error
    return [buffer.getvalue()]


def _saving(name: str, options: WriteOptions, exact: bool, threads: int | None) -> dict[str, Any]:
    """How Pillow is to write a format."""
    if name == "WEBP" and not options.webp_loses:
        return {"lossless": True, "exact": exact, "method": 0}
    if name not in QUALITY:
        return {}
    saving: dict[str, Any] = {"quality": options.quality or QUALITY[name]}
    if name == "WEBP":
        saving["exact"] = exact
    if name == "AVIF" and threads is not None:
        saving["max_threads"] = threads
    return saving


def _beside(kind: WriteFormat, info: Info) -> dict[str, Any]:
    """What else Pillow is to put into the file."""
    found: dict[str, Any] = {"dpi": info.dpi}
    if kind.metadata:
        found |= {"icc_profile": info.icc_profile, "exif": info.exif, "xmp": info.xmp}
    if kind.name == "JPEG":
        for name, most in (("exif", JPEG_EXIF), ("xmp", JPEG_XMP)):
            if len(found[name] or b"") > most:
                raise ImageError(
                    f"{info.name}: {len(found[name]):,} bytes of {name.upper()} are more than JPEG "
                    "holds; write another format, or strip them (strip=True, --strip)"
                )
        if info.exif:  # other formats know what the block is without being told
            found["exif"] = PREFIX + info.exif
    return {name: value for name, value in found.items() if value}
