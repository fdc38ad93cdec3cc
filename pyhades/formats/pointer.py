"""Git LFS keeps large files elsewhere: a clone without it holds short texts in their places."""

from __future__ import annotations

from pathlib import Path

from pyhades.errors import ModelError

_BEGINNING = b"version https://git-lfs.github.com/spec/"
_LONGEST = 1024
"""Bytes; the specification says that a pointer is shorter."""


def is_pointer(contents: bytes) -> bool:
    """Whether the beginning of a file is that of a Git LFS pointer."""
    return contents.startswith(_BEGINNING)


def refuse_pointer(path: Path) -> None:
    """ModelError where a file is a pointer, that says how the file itself is fetched.

    A file that cannot be read is no concern of this.
    """
    try:
        if path.stat().st_size > _LONGEST:
            return
        with path.open("rb") as file:
            beginning = file.read(len(_BEGINNING))
    except OSError:
        return
    if is_pointer(beginning):
        raise ModelError(
            f"{path} is a pointer of Git LFS, not the file itself; run `git lfs install` and "
            f"`git lfs pull` in the repository, or download the file"
        )
