"""Standard input and output, by all their names, and what else is no file."""

from __future__ import annotations

import io
import os
import select
import stat
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pyhades.errors import ArgumentError

STANDARD = "-"
_INPUT = {STANDARD, "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"}
_OUTPUT = {STANDARD, "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"}


def standard_input(name: str) -> str:
    """``name``, or ``-`` where it means standard input."""
    return STANDARD if name in _INPUT else name


def standard_output(name: str) -> str:
    """``name``, or ``-`` where it means standard output."""
    return STANDARD if name in _OUTPUT else name


def complete_writes() -> None:
    """Put a buffer before standard output, where there is none.

    A file without a buffer, which standard output is with PYTHONUNBUFFERED, takes what there is
    room for, and a text is cut off in silence.
    """
    out = sys.stdout
    if isinstance(out, io.TextIOWrapper) and isinstance(out.buffer, io.RawIOBase):
        encoding, errors = out.encoding, out.errors
        buffer = io.BufferedWriter(out.detach())
        sys.stdout = io.TextIOWrapper(buffer, encoding, errors, line_buffering=True)


def read_standard_input() -> bytes:
    """All of it.

    Raises
    ------
    ArgumentError
        It is closed.
    """
    if sys.stdin is None:
        raise ArgumentError("standard input is closed")
    return sys.stdin.buffer.read()


def check_standard_output() -> None:
    """ArgumentError where nobody would want a picture to go."""
    if sys.stdout is None:
        raise ArgumentError("standard output is closed")
    if sys.stdout.isatty():
        raise ArgumentError(
            "standard output is a terminal; send it to a file or a pipe, or name one"
        )


def write_standard_output(pieces: Iterable[Any]) -> None:
    """Write all of it, or raise OSError."""
    sys.stdout.flush()
    write_all(sys.stdout.buffer, pieces)


def write_all(file: Any, pieces: Iterable[Any]) -> None:
    """Write to a binary file that may take less than it is given.

    What has no buffer takes what there is room for, and says how much that was.
    """
    raw = getattr(file, "raw", file)
    file.flush()
    for piece in pieces:
        rest = memoryview(piece).cast("B")
        while rest:
            written = raw.write(rest)
            if written is None:  # somebody has made it non-blocking, and there is no room just now
                select.select([], [raw], [])
            else:
                rest = rest[written:]
    raw.flush()


def is_device(name: str) -> bool:
    """Whether a result is written *into* what has this name, and never put in its place.

    Raises
    ------
    ArgumentError
        It is a disk.
    """
    try:
        kind = Path(name).stat().st_mode
    except (OSError, ValueError):
        return False
    if stat.S_ISBLK(kind):
        raise ArgumentError(f"{name} is a disk, which is no place for a picture")
    folder = os.path.realpath(Path(name).parent)
    is_descriptor = name == "/dev/stderr" or (folder.startswith("/proc/") and folder[-3:] == "/fd")
    return is_descriptor or not (stat.S_ISREG(kind) or stat.S_ISDIR(kind))


def write_device(name: str, pieces: Iterable[Any]) -> None:
    """Write into a pipe or a device."""
    with open(name, "wb", buffering=0) as file:  # noqa: PTH123
        write_all(file, pieces)
