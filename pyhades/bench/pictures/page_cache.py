"""Whether files come from memory or from the disk."""

from __future__ import annotations

import os
import re
from pathlib import Path


def forget(path: Path) -> None:
    """Ask the kernel to drop what it keeps of a file in memory.

    What was not written yet is written before, as the kernel keeps such pages. Files of a tmpfs
    have no other place and stay. What was read is told by :func:`bytes_from_disk`.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return  # the engine will say why it cannot be read
    try:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def remember(path: Path) -> None:
    """Have the kernel keep a file in memory."""
    try:
        with path.open("rb", buffering=0) as file:
            while file.read(1 << 20):
                pass
    except OSError:
        return  # the engine will say why it cannot be read


def bytes_from_disk() -> int | None:
    """What this process has had read from disks so far; None where the kernel does not say."""
    try:
        found = re.search(r"^read_bytes: (\d+)$", Path("/proc/self/io").read_text(), re.MULTILINE)
    except OSError:
        return None
    return None if found is None else int(found[1])


def filesystem_of(path: Path) -> str:
    """Its type, such as ``tmpfs``: that of the longest mount point above a path."""
    place = path.resolve()
    try:
        mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    except OSError:
        return "unknown"
    above = [
        (len(point), number, kind)
        for number, (_, point, kind, *_) in enumerate(mounts)
        if place.is_relative_to(point.replace("\\040", " "))
    ]
    return max(above)[2] if above else "unknown"
