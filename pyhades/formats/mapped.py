"""Files in memory without reading them."""

from __future__ import annotations

import contextlib
import mmap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyhades.errors import ModelError
from pyhades.formats.pointer import refuse_pointer

_POPULATE_READ = 22
"""MADV_POPULATE_READ of Linux 5.14, which Python has no name for."""
_PIECE = 256 << 20


class MappedFile:
    """A file that is mapped read-only. Arrays on it keep the mapping alive.

    Leave the file in place and unchanged while it is in use: a shorter file ends the process.

    Attributes
    ----------
    path
        Of the file.
    data
        Its bytes, uint8, one axis.

    Raises
    ------
    ModelError
        The file cannot be read or is empty.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        refuse_pointer(path)
        try:
            with path.open("rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "the file is empty"
            raise ModelError(f"{path}: cannot read the model: {reason}") from None
        self.data: NDArray[np.uint8] = np.frombuffer(self._map, np.uint8)

    def release(self) -> None:
        """Take the pages that were read out of this process; they stay in the system's cache."""
        self._map.madvise(mmap.MADV_DONTNEED)

    def populate(self) -> Iterator[int]:
        """Bring the file into memory piece by piece; yields the bytes of each piece.

        Where the system does not know how, pages come when they are first touched. Where its file
        system can, they are huge ones.
        """
        with contextlib.suppress(OSError):  # a system without huge pages
            self._map.madvise(mmap.MADV_HUGEPAGE)
        for begin in range(0, len(self._map), _PIECE):
            length = min(_PIECE, len(self._map) - begin)
            try:
                self._map.madvise(_POPULATE_READ, begin, length)
            except OSError:
                self._map.madvise(mmap.MADV_WILLNEED, begin, length)
            yield length
