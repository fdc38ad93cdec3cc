"""Files that commands write: never one that is read, and never half of one."""

from __future__ import annotations

from pathlib import Path

from pyhades.errors import ArgumentError
from pyhades.segmentation.bulk.sinks.whole import write_whole


def check_apart(target: str | Path | None, *inputs: str | Path | None) -> None:
    """ArgumentError where a file to write is one of those that are read, by whatever name."""
    if target is None or not Path(target).is_file():
        return
    for path in inputs:
        if path is not None and Path(path).exists() and Path(target).samefile(path):
            raise ArgumentError(
                f"{target}: the result would replace {path}, which is read; choose another output"
            )


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that nobody ever sees half of it, and a kill leaves no half of it behind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, [data])
