"""How much may be on the disk, and who has to go for something new."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from pyhades.llm.cache.disk.files import (
    ABOUT,
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
        others = sum(map(other_bytes, files))
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


def folders_below(root: Path, *also: Path) -> list[Path]:
    """The folders of models below one, that itself if segments are in it, and others."""
    found = {*also, *([root] if segment_paths(root) else [])}
    with os.scandir(root) as entries:
        below = [Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)]
    found.update(folder for folder in below if is_of_a_model(folder))
    return sorted(found)


def is_of_a_model(folder: Path) -> bool:
    """Whether records of a model are, or were, kept in a folder."""
    try:
        return (folder / ABOUT).exists() or bool(segment_paths(folder))
    except OSError:
        return False  # nobody's to read
