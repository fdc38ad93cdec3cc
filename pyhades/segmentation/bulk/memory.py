"""How much memory a run may take, and what follows from it."""

from __future__ import annotations

import io
import os
import re
import warnings
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from pyhades.errors import ArgumentError, ImageError
from pyhades.segmentation.image.reading import FORMATS

BYTES_PER_PIXEL = 24
"""Of a picture that a worker has: its file, colours, matte, cut-out, filtered rows, result."""
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
    most_pixels
        Of one picture.
    """

    most_items: int
    most_bytes: int
    most_pixels: int

    @classmethod
    def of(cls, most: int, workers: int, used: int | None = None) -> MemoryLimit:
        """Divide ``most`` bytes of memory.

        Parameters
        ----------
        most
            Of the whole process.
        workers
            Threads that hold a picture at a time.
        used
            What is taken already; by default by this process, now.

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
        items = 2 * workers
        # Pictures in workers, and results that wait, which are about as large as a file.
        pixels = (most - taken) // (workers * BYTES_PER_PIXEL + items * 4)
        if pixels < LEAST_PIXELS:
            least = taken + LEAST_PIXELS * (workers * BYTES_PER_PIXEL + items * 4)
            raise ArgumentError(
                f"max_memory={most}: the model takes {taken >> 20} MiB, and {workers} workers need "
                f"{least >> 20} MiB for pictures of a megapixel; allow more, or fewer workers"
            )
        return cls(items, (most - taken) // 2, pixels)

    def check(self, data: bytes, name: str) -> None:
        """ImageError for a picture that is too large; one that is none is for others to refuse."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", Image.DecompressionBombWarning)
                width, height = Image.open(io.BytesIO(data), formats=FORMATS).size
        except Exception:
            return
        if width * height > self.most_pixels:
            raise ImageError(
                f"{name}: {width} x {height} pixels need more memory than max_memory "
                f"(--max-memory) leaves for a picture ({self.most_pixels / 1e6:.1f} megapixels)"
            )


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
