"""The files of a folder: who may write them, whose they are, and how much they take."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pyhades.llm.cache.disk.framing import SEGMENT_BYTES, NotOurs, SegmentHeader

SUFFIX = ".segment"
LOCK = "lock"
ABOUT = "about.json"
FILE_MODE = 0o600
FOLDER_MODE = 0o700
"""They hold what people have written."""


@dataclass(frozen=True)
class SegmentFile:
    """A segment, as the folder has it.

    Attributes
    ----------
    taken
        Bytes that count: its size, or as long as somebody writes it what it may grow to.
    is_live
        Whether somebody writes it.
    """

    path: Path
    taken: int
    is_live: bool


def segment_paths(folder: Path) -> list[Path]:
    """The segments of a folder, the oldest first; none where there is no folder."""
    try:
        return sorted(path for path in folder.iterdir() if path.name.endswith(SUFFIX))
    except (FileNotFoundError, NotADirectoryError):
        return []


def segment_files(folder: Path) -> list[SegmentFile]:
    """The segments of a folder, the oldest first, with what they take."""
    found = []
    for path in segment_paths(folder):
        try:
            found.append(_described(path))
        except OSError:
            continue  # gone since, or nobody's to read
    return found


def other_bytes(folder: Path) -> int:
    """What files take that are no segments."""
    return _bytes_of(folder, lambda name: not name.endswith(SUFFIX))


def all_bytes(folder: Path) -> int:
    """What all files take now."""
    return _bytes_of(folder, lambda name: True)


def _bytes_of(folder: Path, counts: Callable[[str], bool]) -> int:
    total = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):  # somebody has removed it just now
                if counts(entry.name) and entry.is_file(follow_symlinks=False):
                    total += entry.stat(follow_symlinks=False).st_size
    return total


def try_lock(descriptor: int, how: int = fcntl.LOCK_EX) -> bool:
    """Lock an open file, for oneself alone or for readers; False where somebody else has it."""
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def idle_file(path: Path, flags: int = os.O_RDONLY) -> Iterator[int | None]:
    """A file that nobody writes, ours alone as long as it is open; None where somebody does.

    Raises
    ------
    OSError
        It is gone, or cannot be opened.
    """
    descriptor = os.open(path, flags | os.O_CLOEXEC)
    try:
        is_ours = try_lock(descriptor) and os.fstat(descriptor).st_nlink > 0
        yield descriptor if is_ours else None
    finally:
        os.close(descriptor)


def is_live(descriptor: int) -> bool:
    """Whether somebody writes an open file."""
    return not try_lock(descriptor, fcntl.LOCK_SH)


def remove_idle(path: Path) -> bool:
    """Remove a segment that nobody writes; whether it is gone."""
    try:
        with idle_file(path) as descriptor:
            if descriptor is None:
                return not path.exists()
            path.unlink()
    except FileNotFoundError:
        pass
    except OSError:
        return False
    return True


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Nobody else makes room in a folder meanwhile."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    descriptor = os.open(folder / LOCK, flags, FILE_MODE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _described(path: Path) -> SegmentFile:
    with path.open("rb") as file:
        size, is_written = os.fstat(file.fileno()).st_size, is_live(file.fileno())
        if is_written:
            with suppress(NotOurs):  # of another layout, or its first bytes are not yet there
                size = max(size, SegmentHeader.unpack(file.read(SEGMENT_BYTES)).room)
        return SegmentFile(path, size, is_written)
