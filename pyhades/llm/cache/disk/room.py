"""How much may be on the disk, and who has to go for something new."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pyhades.llm.cache.disk.files import (
    SegmentFile,
    other_bytes,
    remove_idle,
    segment_files,
    segment_paths,
)


@dataclass
class Room:
    """Bytes for the folders of all models below one folder.

    Whoever asks has the folder alone, see :func:`pyhades.llm.cache.disk.files.alone`.

    Attributes
    ----------
    root
        The folder whose folders count; ``folder`` itself where there is but one model.
    folder
        That of our model.
    limit
        What all files may take.
    """

    root: Path
    folder: Path
    limit: int

    def survey(self) -> Survey:
        """What there is now."""
        files = {folder: segment_files(folder) for folder in folders_below(self.root, self.folder)}
        others = sum(other_bytes(folder) for folder in {self.root, *files})
        taken = others + sum(file.taken for found in files.values() for file in found)
        ours = files.pop(self.folder, [])
        theirs = sorted((f for found in files.values() for f in found), key=lambda f: f.path.name)
        return Survey(self.limit, taken, ours, theirs)


@dataclass
class Survey:
    """The files that there are, and what they take.

    Attributes
    ----------
    taken
        Bytes of everything; segments that are being written count as what they may grow to.
    ours, theirs
        Segments of our model and of others, the oldest first.
    """

    limit: int
    taken: int
    ours: list[SegmentFile]
    theirs: list[SegmentFile]

    def has_room(self, needed: int) -> bool:
        """Whether so many bytes are free."""
        return self.taken + needed <= self.limit

    def remove(self, file: SegmentFile) -> bool:
        """Remove a segment that nobody writes; whether it is gone."""
        if file.is_live or not remove_idle(file.path):
            return False
        self.taken -= file.taken
        return True

    def remove_oldest(self, files: list[SegmentFile], needed: int) -> None:
        """Remove segments one after the other until so many bytes are free."""
        for file in files:
            if self.has_room(needed):
                return
            self.remove(file)


def folders_below(root: Path, *also: Path) -> Iterator[Path]:
    """The folders of models below one, and others, each once; ``root`` if segments are in it."""
    found = set(also)
    if segment_paths(root):
        found.add(root)
    with os.scandir(root) as entries:
        found.update(Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False))
    yield from sorted(found)
