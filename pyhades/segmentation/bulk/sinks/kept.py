"""Members of an archive that an earlier run has written, perhaps not to its end."""

from __future__ import annotations

import tarfile
import zlib
from pathlib import Path


class KeptMembers:
    """Whole members of an archive, one after the other.

    Parameters
    ----------
    path
        Of the archive; its end may be missing.

    Attributes
    ----------
    end
        Where the last member ends that :meth:`is_next` was true for.
    """

    def __init__(self, path: Path) -> None:
        self.end = 0
        self._size = path.stat().st_size
        self._archive: tarfile.TarFile | None = None
        if self._size:
            try:
                self._archive = tarfile.open(path, "r:")  # noqa: SIM115
            except tarfile.TarError:
                self._archive = None

    def is_next(self, name: str, crc32: int) -> bool:
        """Whether the next member is whole and has this name and checksum."""
        if self._archive is None:
            return False
        try:
            info = self._archive.next()
            if info is None or info.name != name or not info.isfile():
                return False
            file = self._archive.extractfile(info)
            data = b"" if file is None else file.read()
        except (tarfile.TarError, OSError):
            return False
        end = info.offset_data + -(-info.size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
        if len(data) != info.size or end > self._size or zlib.crc32(data) != crc32:
            return False
        self._archive.members.clear()  # type: ignore[attr-defined]  # it would remember every one
        self.end = end
        return True

    @property
    def is_over(self) -> bool:
        """Whether nothing follows."""
        try:
            return self._archive is None or self._archive.next() is None
        except tarfile.TarError:
            return False

    def close(self) -> None:
        """Nothing more is asked for."""
        if self._archive is not None:
            self._archive.close()
