"""Files that are there as a whole or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pyhades.errors import ConfigurationError
from pyhades.segmentation.bulk.sinks import whole as sinks


def write_whole(path: Path, chunks: Iterable[Any]) -> None:
    """Write to another name, then rename; what goes wrong leaves nothing behind.

    Raises
    ------
    ConfigurationError
        The folder cannot be written to, or is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sinks.write_whole(path, chunks)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be written: {error.strerror or error}") from error


def check_writable(target: Path) -> None:
    """ConfigurationError, before minutes of work, where a file cannot be written there after it."""
    try:
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        folder = next(each for each in target.absolute().parents if each.exists())
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        why = error.strerror or error
        raise ConfigurationError(f"{target}: cannot be written: {why}; name another") from error
