"""Git LFS keeps large files elsewhere: a clone without it holds short texts in their places."""

from __future__ import annotations

from pathlib import Path

from pyhades.errors import ModelError

LFS_POINTER = b"version https://git-lfs"
"""With which pointers begin."""
_LONGEST = 1024
"""Bytes; the specification says that a pointer is shorter."""


def refuse_pointer(path: Path) -> None:
    """ModelError where a file is a pointer, that says how the file itself is fetched.

    A file that cannot be read is no concern of this.
    """
    try:
        if path.stat().st_size > _LONGEST:
            return
        with path.open("rb") as file:
            beginning = file.read(len(LFS_POINTER))
    except OSError:
        return
    if beginning == LFS_POINTER:
        raise ModelError(
            f"{path} is a pointer of Git LFS, not the file itself; run `git lfs install` and "
            f"`git lfs pull` in the repository, or download the file"
        )
