"""Which files were compared with their checksum already: a gigabyte is not read at every start."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from pyhades.segmentation.catalogue import PublishedFile
from pyhades.segmentation.store.places import cache_folder

NAME = "verified.json"


def is_published(path: Path, file: PublishedFile) -> bool:
    """Whether ``path`` holds ``file``, by its checksum; remembered until the file changes."""
    checksum = file.checksum
    if checksum is None or not path.is_file():
        return False
    if file.size is not None and path.stat().st_size != file.size:
        return False
    key, stamp = str(path.resolve()), _stamp(path, checksum)
    notes = _read()
    if notes.get(key) == stamp:
        return True
    if not file.is_in(path):
        return False
    remember(path, file)
    return True


def remember(path: Path, file: PublishedFile) -> None:
    """Note that ``path`` was compared and holds ``file``."""
    assert file.checksum is not None
    _write({**_read(), str(path.resolve()): _stamp(path, file.checksum)})


def _stamp(path: Path, checksum: tuple[str, str]) -> list[Any]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ino, ":".join(checksum)]


def _read() -> dict[str, Any]:
    try:
        notes = json.loads((cache_folder() / NAME).read_bytes())
    except (OSError, ValueError):
        return {}
    return notes if isinstance(notes, dict) else {}


def _write(notes: dict[str, Any]) -> None:
    """Replace the notes; a folder that cannot be written only costs reading again."""
    with contextlib.suppress(OSError):
        folder = cache_folder()
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{NAME}.", dir=folder)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(notes, file, indent=1)
        Path(name).replace(folder / NAME)
