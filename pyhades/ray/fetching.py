"""The content of pictures, before their turn has come."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyhades.errors import ImageError, PyhadesError
from pyhades.ray.columns import checked_picture
from pyhades.segmentation.bulk.sources.urls import is_url, reach
from pyhades.segmentation.image.sources import read_path


@dataclass(frozen=True)
class Fetched:
    """The content of a picture.

    Attributes
    ----------
    name
        What messages call it; nothing for one that came as bytes.
    data
        Bytes of its file.
    """

    name: str
    data: Any

    def __str__(self) -> str:
        return self.name


def fetch(picture: Any) -> Fetched:
    """The content of a file by its path or URL; bytes as they are.

    Raises
    ------
    ImageError
        There is no picture, or it cannot be read.
    """
    found = checked_picture(picture)
    if not isinstance(found, str):
        return Fetched("", found)
    return Fetched(found, _behind(found) if is_url(found) else _in_file(found))


def _in_file(path: str) -> memoryview:
    """A pipe would be waited for without end, and a device may have no end."""
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):
        return read_path(path)  # which knows what to say
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise ImageError(f"{path}: this is no file but a pipe, a socket or a device")
    return read_path(path)


def _behind(url: str) -> Any:
    try:
        files, path = reach(url)
        return files.cat_file(path)
    except PyhadesError:
        raise
    except FileNotFoundError as error:
        raise ImageError(f"{url}: there is no such file") from error
    except Exception as error:  # every file system has its own
        raise ImageError(f"{url}: {reason_of(error)}") from error


def reason_of(error: BaseException) -> str:
    """What to tell of an error, never empty."""
    text = str(error)
    return text if isinstance(error, PyhadesError) and text else f"{type(error).__name__}: {text}"
