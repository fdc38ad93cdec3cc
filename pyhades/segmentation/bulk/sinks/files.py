"""Results as files of a folder: whole or not there, and never in place of somebody else's."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pyhades.segmentation.bulk.sinks.parts import clean
from pyhades.segmentation.bulk.sinks.whole import write_whole

Sync = Literal["none", "file", "full"]
"""What is on the disk, and not only with the kernel, before a picture counts as done: nothing, its
file, or its file, the file's name and the line in the manifest."""


class FileSink:
    """Writes files below a folder.

    Parameters
    ----------
    root
        The folder.
    sync
        What survives a power cut. Whatever it is, a killed process leaves no half files.
    """

    def __init__(self, root: Path, sync: Sync = "file") -> None:
        self.root = root
        self._sync = sync
        self._seen: set[Path] = set()

    def size(self, target: str) -> int | None:
        """Of a file; None where there is none. Looks after the folder that it lies in, too."""
        path = self.root / target
        self._look_after(path.parent)
        try:
            return path.stat().st_size if path.is_file() else None
        except OSError:
            return None

    def exists(self, target: str) -> bool:
        """Whether something has that name."""
        return os.path.lexists(self.root / target)

    def holds(self, target: str, parts: Sequence[bytes]) -> bool:
        """Whether a file is there that has this content."""
        if self.size(target) != sum(map(len, parts)):
            return False
        with (self.root / target).open("rb") as file:
            return all(file.read(len(part)) == part for part in parts)

    def write(self, target: str, parts: Sequence[bytes], *, replace: bool) -> None:
        """Write a file, whose content comes in pieces.

        Raises
        ------
        FileExistsError
            There is one, and it is not to be replaced; or a folder has its name.
        OSError
            It cannot be written. Then nothing has changed.
        """
        path = self.root / target
        if path.is_dir():
            raise FileExistsError(17, "a folder has that name", str(path))
        path.parent.mkdir(parents=True, exist_ok=True)
        self._look_after(path.parent)
        write_whole(path, parts, replace=replace, sync=self._sync != "none")
        if self._sync == "full":
            sync_folder(path.parent)

    def _look_after(self, folder: Path) -> None:
        """Take away what the dead left, once per folder."""
        if folder not in self._seen:
            self._seen.add(folder)
            clean(folder)


def sync_folder(folder: Path) -> None:
    """Make names in a folder last."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
