"""How much memory a run may take, and what follows from it."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from pyhades.errors import ArgumentError, ImageError
from pyhades.segmentation.finish import Finish
from pyhades.segmentation.finish.memory import bytes_of
from pyhades.segmentation.image.depth import raw_mode
from pyhades.segmentation.image.opening import open_header, orientation_of

PLAIN_JPEG, OTHERS, WEBP, DEEP = 16, 36, 44, 64
"""Bytes per pixel of a picture that a worker has: its file, what its decoder takes, colours, matte,
cut-out, filtered rows, result. The most that was measured, and some more, see
``docs/reference/bulk_run.md``. Pixels of a plain JPEG go straight to where they are used; decoders
of progressive ones keep all coefficients, and WebP's keeps three canvases. Colours of 16 bits take
40 to be read, and as much again for their 8 bits and the result."""
ENCODER = 16
"""Bytes per pixel that encoders of other files than PNG take on top of that: WebP's most."""
WAITING = 4
"""Bytes per pixel of another result, which waits to be written."""
LEAST_PIXELS = 1_000_000
"""That every worker must be able to hold: a run that refuses most pictures helps nobody."""
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


@dataclass(frozen=True)
class MemoryLimit:
    """What pictures may take.

    Attributes
    ----------
    most_items
        Pictures on their way.
    most_bytes
        Of pixels between decoders, workers and encoders.
    bytes_per_picture
        What one may take, in a worker and while its result waits.
    encoder
        Bytes per pixel that results take, on top of what they do as PNG.
    finish
        Steps that take memory as well.
    """

    most_items: int
    most_bytes: int
    bytes_per_picture: int
    encoder: int = 0
    finish: Finish | None = None

    @classmethod
    def of(
        cls,
        most: int,
        workers: int,
        used: int | None = None,
        *,
        suffix: str = ".png",
        finish: Finish | None = None,
    ) -> MemoryLimit:
        """Divide ``most`` bytes of memory.

        Parameters
        ----------
        most
            Of the whole process.
        workers
            Threads that hold a picture at a time.
        used
            What is taken already; by default by this process, now.
        suffix, finish
            Of results, and the steps before.

        Raises
        ------
        ArgumentError
            It does not suffice.

        Examples
        --------
        >>> MemoryLimit.of(1 << 30, workers=2, used=1 << 28).most_items
        4
        """
        taken = resident() if used is None else used
        share = (most - taken) // workers
        encoder = 0 if suffix.lower() == ".png" else ENCODER
        of_least = LEAST_PIXELS * (WEBP + encoder + WAITING)
        of_least += 0 if finish is None else bytes_of(finish, LEAST_PIXELS)
        if share < of_least:
            least = taken + workers * of_least
            raise ArgumentError(
                f"max_memory={most}: the model takes {taken >> 20} MiB, and {workers} workers need "
                f"{least >> 20} MiB for pictures of a megapixel; allow more, or fewer workers"
            )
        return cls(2 * workers, (most - taken) // 2, share, encoder, finish)

    def check(self, data: bytes, name: str) -> None:
        """ImageError for a picture that is too large; one that is none is for others to refuse."""
        try:
            header = open_header(data, sys.maxsize, name)
        except ImageError:
            return
        per_pixel = _bytes_per_pixel(header) + self.encoder + WAITING
        pixels = header.width * header.height
        needed = pixels * per_pixel
        needed += 0 if self.finish is None else bytes_of(self.finish, pixels)
        if needed > self.bytes_per_picture:
            width, height = header.size
            raise ImageError(
                f"{name}: {width} x {height} pixels ({header.format}) need {_mib(needed)}, "
                f"max_memory (--max-memory) leaves {_mib(self.bytes_per_picture)} for a picture"
            )


def _bytes_per_pixel(header: Image.Image) -> int:
    """What a picture takes in a worker, of which nothing but the header was read."""
    if ";16" in raw_mode(header):
        return DEEP
    if header.format == "WEBP":
        return WEBP
    return PLAIN_JPEG if header.format == "JPEG" and _is_plain(header) else OTHERS


def _is_plain(jpeg: Image.Image) -> bool:
    """Whether it is decoded row by row, and lies as it is to be seen."""
    turned = orientation_of(jpeg) != 1
    return jpeg.mode in ("L", "RGB") and "progressive" not in jpeg.info and not turned


def _mib(nbytes: int) -> str:
    return f"{nbytes / (1 << 20):.0f} MiB"


def parse_size(text: str) -> int:
    """Bytes of ``"800M"`` or ``"2G"``.

    Examples
    --------
    >>> parse_size("1.5k")
    1536
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", text.strip().lower())
    if not match:
        raise ArgumentError(f"max_memory={text!r} is not a size such as 800M or 2G")
    return int(float(match[1]) * _UNITS[match[2]])


def resident() -> int:
    """Bytes of memory that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
