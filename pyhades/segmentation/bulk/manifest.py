"""What a run has done: lines of JSON that are only ever added to, by one process or several."""

from __future__ import annotations

import fcntl
import json
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

NAME = ".pyhades-manifest.jsonl"
"""Of the file; the name of the folder of results stands before it."""
_LONGEST_NAME = 255  # bytes, as file systems have it
_BLOCK = 1 << 16


def beside(folder: Path) -> Path:
    """Where the manifest of a folder of results lies.

    Beside it, so that it holds results and nothing else; in it where the folder above takes no
    files, and where one lies already.

    Examples
    --------
    >>> beside(Path("/tmp/cutouts")).as_posix()
    '/tmp/.cutouts.pyhades-manifest.jsonl'
    """
    folder = folder.resolve()
    inside, outside = folder / NAME, folder.parent / f".{folder.name}{NAME}"
    for earlier in (outside, inside):
        if os.path.lexists(earlier):  # False for a name that is too long, too
            return earlier
    above = next((path for path in folder.parents if path.exists()), folder)
    fits = folder.name and len(os.fsencode(outside.name)) <= _LONGEST_NAME
    return outside if fits and os.access(above, os.W_OK) else inside


class Manifest:
    """An append-only file of JSON lines.

    A line is written at once, under a lock that other processes respect. What a process that died
    in the middle has left of one is cut off before the next line is added.

    Parameters
    ----------
    path
        Of the file; it is made where there is none.
    sync
        Whether a line is on the disk, and not only with the kernel, before :meth:`append` returns.

    Attributes
    ----------
    torn
        Bytes of unfinished lines that were cut off.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with Manifest(Path(folder) / "manifest.jsonl") as manifest:
    ...         manifest.append({"input": "a.jpg", "status": "done"})
    ...         list(manifest.lines())
    [{'input': 'a.jpg', 'status': 'done'}]
    """

    def __init__(self, path: Path, *, sync: bool = False) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.torn = 0
        self._sync = sync
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        self._lock = threading.Lock()  # the kernel's is one of processes
        with self._alone():
            self._mend()

    def append(self, line: Mapping[str, Any]) -> None:
        """Add a line.

        Raises
        ------
        OSError
            It could not be written; then nothing of it stands there.
        """
        data = json.dumps(line, separators=(",", ":")).encode() + b"\n"  # ASCII, whatever names are
        with self._alone():
            before = self._mend()
            try:
                written = os.write(self._file, data)
                if written < len(data):
                    written += os.write(self._file, data[written:])  # says why it was short
                if self._sync:
                    os.fdatasync(self._file)
            except OSError as error:
                os.ftruncate(self._file, before)
                raise OSError(error.errno, error.strerror, str(self.path)) from error

    def lines(self) -> Iterator[dict[str, Any]]:
        """All lines, the oldest first; those that are none (a disk lost them) are left out."""
        return read_lines(self.path)

    def close(self) -> None:
        """Nothing is added any more."""
        descriptor, self._file = self._file, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self._lock:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def _mend(self) -> int:
        """Cut off what is no whole line; the size of the file."""
        size = os.fstat(self._file).st_size
        if size == 0 or os.pread(self._file, 1, size - 1) == b"\n":
            return size
        whole = self._end_of_lines(size)
        os.ftruncate(self._file, whole)
        self.torn += size - whole
        return whole

    def _end_of_lines(self, size: int) -> int:
        end = size
        while end:
            start = max(0, end - _BLOCK)
            at = os.pread(self._file, end - start, start).rfind(b"\n")
            if at >= 0:
                return start + at + 1
            end = start
        return 0


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Lines of a manifest that perhaps somebody still writes; see :meth:`Manifest.lines`."""
    with path.open("rb") as file:
        for text in file:
            if not text.endswith(b"\n"):
                break
            try:
                line = json.loads(text)
            except ValueError:
                continue
            if isinstance(line, dict):
                yield line
