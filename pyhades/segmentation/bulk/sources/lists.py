"""Pictures that a list names, line by line, while somebody still writes it."""

from __future__ import annotations

import json
import os
import select
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Literal

from pyhades.errors import ArgumentError
from pyhades.segmentation.bulk.picture import Picture, broken
from pyhades.segmentation.bulk.sources.naming import inside
from pyhades.segmentation.bulk.sources.tree import picture_of

Form = Literal["paths", "json"]
WAIT = 0.2
"""Seconds between two looks whether a list is still wanted."""


class Listed:
    """Pictures of a list.

    Parameters
    ----------
    lines
        A path each; or an object in JSON with ``path`` and, if wanted, ``id`` (which the manifest
        calls it by, and the result is called after) and ``output`` (path of the result below the
        destination).
    suffix
        Of results.
    form
        Of the lines.
    """

    def __init__(self, lines: Iterable[str], suffix: str, form: Form = "paths") -> None:
        self._lines = lines
        self._suffix = suffix
        self._form = form
        self._stopped = threading.Event()
        self._is_text = True

    def __iter__(self) -> Iterator[Picture]:
        for number, text in enumerate(self._lines, 1):
            line = text.rstrip("\r\n") if self._is_text else text
            if not line.strip():
                continue
            try:
                path, key, target = self._read(line)
                yield picture_of(Path(path), key, target)
            except (ArgumentError, ValueError) as error:
                yield broken(f"line {number}", ArgumentError(f"line {number}: {error}"))

    @classmethod
    def from_stream(
        cls, stream: BinaryIO, suffix: str, form: Form = "paths", *, end: bytes = b"\n"
    ) -> Listed:
        """A list that comes through a pipe, and that may be left before its end.

        ``end`` is what ends a line; zeros, as of ``find -print0``, allow for names with line feeds.
        """
        stopped = threading.Event()
        listed = cls(_lines(stream, stopped, end), suffix, form)
        listed._is_text = end == b"\n"
        listed._stopped = stopped
        return listed

    def stop(self) -> None:
        """Wait for no more lines."""
        self._stopped.set()

    def holds(self, path: Path) -> bool:
        """Nobody knows what will be named."""
        return False

    def _read(self, line: str) -> tuple[str, str, str]:
        if self._form == "paths":
            key = inside(line)
            return line, key, str(PurePosixPath(key).with_suffix(self._suffix))
        fields = _json(line)
        path = _text(fields, "path")
        key = _text(fields, "id") if "id" in fields else inside(path)
        if "output" not in fields:
            name = PurePosixPath(inside(key, what="the id"))
            named = f"{name}{self._suffix}"  # an id has no suffix to lose
            return path, key, named if "id" in fields else str(name.with_suffix(self._suffix))
        target = inside(_text(fields, "output"), what="the output")
        if PurePosixPath(target).suffix.lower() != self._suffix:
            raise ArgumentError(f"the output {target!r} has to end in {self._suffix}")
        return path, key, target


def _lines(stream: BinaryIO, stopped: threading.Event, end: bytes) -> Iterator[str]:
    """Lines as they come; a look at ``stopped`` while none does."""
    try:
        descriptor = stream.fileno()
    except OSError:  # no file, but something in memory
        lines = stream.read().split(end)
        yield from (line.decode("utf-8", "surrogateescape") for line in lines)
        return
    rest = b""
    while not stopped.is_set():
        if not select.select([descriptor], [], [], WAIT)[0]:
            continue
        block = os.read(descriptor, 1 << 16)
        *lines, rest = (rest + block).split(end)
        yield from (line.decode("utf-8", "surrogateescape") for line in lines)
        if not block:
            yield rest.decode("utf-8", "surrogateescape")
            return


def _json(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ArgumentError(f"it is no JSON: {error}") from None


def _text(fields: Any, name: str) -> str:
    value = fields.get(name) if isinstance(fields, dict) else None
    if not isinstance(value, str) or not value:
        raise ArgumentError(f"it has no text called {name!r}")
    return value
