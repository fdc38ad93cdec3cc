"""Files that are there as a whole or not at all."""

from __future__ import annotations

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
