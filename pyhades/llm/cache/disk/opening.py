"""A folder that can be used, or a message that tells what is to be done about it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from pyhades.errors import ConfigurationError
from pyhades.llm.cache.disk.files import FOLDER_MODE, alone, segment_paths
from pyhades.llm.cache.disk.framing import NotOurs
from pyhades.llm.cache.disk.scanning import read_contents

_ADVICE = "choose another folder for the cache, or none"


def make_folder(folder: Path) -> None:
    """Make a folder that only its owner may look into, and those above it.

    Raises
    ------
    ConfigurationError
        It cannot be made, or something else has its name.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
    except FileExistsError as error:
        raise ConfigurationError(f"{error.filename} is a file, not a folder; {_ADVICE}") from error
    except OSError as error:
        raise ConfigurationError(
            f"cannot make the folder {folder}: {error.strerror}; {_ADVICE}"
        ) from error


def open_folder(folder: Path) -> int:
    """Make a folder, and say that it is in use until the descriptor is closed.

    Raises
    ------
    ConfigurationError
        It cannot be made, or processes cannot tell each other there what they use.
    """
    while True:
        make_folder(folder)
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        except OSError as error:
            raise ConfigurationError(
                f"cannot open or lock the folder {folder}: {error.strerror}; {_ADVICE}"
            ) from error
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)  # somebody has cleared it while we waited


def is_writable(folder: Path) -> bool:
    """Whether files can be made in a folder, and locked; makes that which processes share.

    Raises
    ------
    ConfigurationError
        They cannot, and there is nothing to read there either.
    """
    try:
        if not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
            raise PermissionError(None, "no permission to write")
        with alone(folder):
            return True
    except OSError as error:
        if any(map(_is_readable, segment_paths(folder))):
            return False
        raise ConfigurationError(
            f"cannot write into {folder}: {error.strerror}; make it writable, or {_ADVICE}"
        ) from error


def _is_readable(path: Path) -> bool:
    try:
        return bool(read_contents(path).entries)
    except (NotOurs, OSError):
        return False
