"""From whatever a caller holds to the bytes of a file."""

from __future__ import annotations

import errno
import inspect
import io
import os
import re
from pathlib import Path
from typing import IO, Any

import numpy as np

from pyhades.errors import ArgumentTypeError, ImageError, ImageFileError, MissingImageError
from pyhades.segmentation.buffers import FRESH, Buffers

_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+://|data:[a-z]+/")
_LONGEST_NAME = 4096
"""Of a path, for Linux."""


def read_path(path: str | os.PathLike[str], buffers: Buffers = FRESH) -> memoryview:
    """The content of a file that holds a picture.

    Raises
    ------
    MissingImageError
        There is none; also caught as ``FileNotFoundError``.
    ImageFileError
        It cannot be read; also caught as ``OSError``.
    """
    text = os.fsdecode(path)
    if not text:
        raise ImageError("the path of the image is empty")
    if _URL.match(text):
        raise ImageError(f"{_short(text)}: this is a URL and no path; fetch it, and give the bytes")
    try:
        return read_file(Path(text), buffers)
    except ValueError as error:  # "embedded null byte"
        raise ImageError(f"{_short(text)!r}: not a path ({error})") from error
    except OSError as error:
        raise file_error(_short(text), error) from error


def _short(text: str) -> str:
    """A name for messages; what is no path may have megabytes."""
    return text if len(text) <= _LONGEST_NAME else f"{text[:40]}... ({len(text):,} characters)"


def file_error(name: str, error: OSError) -> ImageFileError:
    """What to raise where the system refuses a picture's file."""
    gone = error.errno in (errno.ENOENT, errno.ENOTDIR)
    kind = MissingImageError if gone else ImageFileError
    return kind.of(f"{name}: {error.strerror or error}", error)


def read_file(path: Path, buffers: Buffers) -> memoryview:
    """The content of a file, read in one go into memory that is used again.

    Raises
    ------
    OSError
        It cannot be read.
    """
    with path.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        block = buffers.array("file", (size + 1,), np.uint8).data
        read = 0
        while count := file.readinto(block[read:]):
            read += count
            if read > size:  # it grows, or does not know its size
                return memoryview(bytes(block[:read]) + file.readall())
        return block[:read]


def read_open_file(file: IO[bytes], name: str) -> bytes:
    """What is left to read in a file that the caller has opened.

    Raises
    ------
    ArgumentTypeError
        It is no binary file.
    ImageError
        Nothing is left, or reading fails.
    """
    if isinstance(file, io.TextIOBase):
        raise ArgumentTypeError(f"{name}: the file is open as text; open it with mode 'rb'")
    position = _position_of(file)
    try:
        data: Any = file.read()
    except (OSError, ValueError) as error:  # closed, or write-only, or the device fails
        raise ImageError(f"{name}: the file cannot be read ({error})") from error
    if isinstance(data, str):
        raise ArgumentTypeError(f"{name}: read() gives text; open the file in binary mode ('rb')")
    if inspect.iscoroutine(data):
        data.close()
        raise ArgumentTypeError(f"{name}: read() is asynchronous; await it, and give the bytes")
    if not isinstance(data, bytes | bytearray | memoryview):
        raise ArgumentTypeError(f"{name}: read() gives {type(data).__name__}, not bytes")
    if not len(data) and position:
        raise ImageError(
            f"{name}: nothing is left to read, as the position is at the end ({position:,}); "
            "call seek(0) first"
        )
    return bytes(data)


def _position_of(file: Any) -> int:
    """Where a file stands; 0 for pipes and for what has no positions."""
    try:
        position = file.tell()
    except Exception:  # objects of callers raise what they like
        return 0
    return position if isinstance(position, int) else 0


class Reader(io.RawIOBase):
    """Bytes as a file that does not copy them."""

    def __init__(self, data: bytes | memoryview) -> None:
        self._data = memoryview(data).cast("B")
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: len(self._data)}[whence]
        self._position = max(0, start + offset)
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        """At most what there is; a buffered file would make room for what is asked for."""
        end = len(self._data) if size is None or size < 0 else self._position + size
        piece = bytes(self._data[self._position : end])
        self._position += len(piece)
        return piece

    def readinto(self, target: Any) -> int:
        piece = self._data[self._position : self._position + len(target)]
        target[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)
