"""Pictures in tar archives, as webdataset makes them: read once, from beginning to end."""

from __future__ import annotations

import functools
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol, Self, TypeVar

from pyhades.errors import ArgumentError, ImageError
from pyhades.segmentation.bulk.picture import Picture, Stamp, broken, stamp_of
from pyhades.segmentation.bulk.sinks.tar import Shelf
from pyhades.segmentation.bulk.sources.naming import ARCHIVE_SUFFIXES, Taken, inside, is_picture

Kind = TypeVar("Kind", bound=Shelf)


class Desk(Protocol):
    """What an archive asks of the run before its members are read."""

    def shelf(self, key: str, target: str, stamp: Stamp, kind: type[Kind]) -> Kind | None:
        """Where its results go; None where all of it is done."""

    def checksum(self, key: str, stamp: Stamp) -> int | None:
        """Of the result that an earlier run has made of a member; None where there is none."""

    def is_settled(self, key: str, archive: str, stamp: Stamp) -> bool:
        """Whether a member failed before, has not changed, and is not to be tried again."""

    def reason(self, key: str) -> str:
        """Why it failed."""

    def skip(self, archive: str) -> None:
        """An earlier run has done a member of an archive."""


class Archive:
    """Pictures of one archive.

    What is no picture, such as a label, is taken over as it is. A result is called as its picture,
    with another suffix: the key of a sample, which is what stands before the first dot, stays.

    Parameters
    ----------
    path
        Of the archive.
    key
        What the manifest calls it.
    target
        The archive of results; None for files in a folder of its name.
    suffix
        Of results.
    opened
        Opens it for reading, where it is no file of this machine.
    """

    def __init__(
        self, path: Path | str, key: str, target: str | None, suffix: str,
        opened: Callable[[], AbstractContextManager[BinaryIO]] | None = None,
        stamp: Stamp | None = None,
    ) -> None:  # fmt: skip
        self.key = key
        self.path = path
        self.target = target
        self._suffix = suffix
        self._opened = opened or functools.partial(_open, path)
        self._stamp = stamp
        self._names = Taken()

    def pictures(self, desk: Desk) -> Iterator[Picture]:
        """Read it; ``desk`` says what is done already and where results go."""
        self._names = Taken()
        try:
            stamp = self._stamp or stamp_of(Path(self.path))
            shelf = None
            if self.target is not None:
                shelf = desk.shelf(self.key, self.target, stamp, Shelf)
                if shelf is None:
                    return
        except OSError as error:
            yield broken(self.key, error, str(self.path))
            return
        damage = ""
        try:
            with self._opened() as file, tarfile.open(
                fileobj=file, mode="r|*", tarinfo=_StrictInfo
            ) as archive:  # fmt: skip
                yield from self._members(archive, desk, shelf)
        except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
            damage = f"the archive is damaged: {error}"
            if shelf is None:
                yield broken(self.key, ImageError(damage), str(self.path))
        if shelf is not None:
            shelf.end(damage)

    def _members(
        self, archive: tarfile.TarFile, desk: Desk, shelf: Shelf | None
    ) -> Iterator[Picture]:
        while (info := archive.next()) is not None:
            archive.members.clear()  # type: ignore[attr-defined]  # it would remember every one
            if shelf is not None and shelf.problem is not None:
                return
            file = archive.extractfile(info) if info.isfile() else None
            if file is None:
                continue
            data = file.read()
            if len(data) < info.size:
                raise tarfile.ReadError("unexpected end of data")
            if is_picture(info.name):
                yield from self._picture(info, data, desk, shelf)
            elif shelf is not None:
                _take_over(shelf, info, data)

    def _picture(
        self, info: tarfile.TarInfo, data: bytes, desk: Desk, shelf: Shelf | None
    ) -> Iterator[Picture]:
        shown = f"{self.path}/{info.name}"
        try:
            name = inside(info.name)
        except ArgumentError as error:
            yield broken(f"{self.key}/{info.name}", error, shown)
            return
        key = f"{self.key}/{name}"
        result = str(PurePosixPath(name).with_suffix(self._suffix))
        if not self._names.take(result):  # of a.jpg and a.png the second keeps its suffix
            result = f"{name}{self._suffix}"
        stamp = Stamp(info.size, int(info.mtime) * 10**9)
        if shelf is None:
            target = f"{folder_of(self.key)}/{result}"
            yield Picture(key, target, lambda: data, shown, stamp, archive=self.key)
            return
        if desk.is_settled(key, self.key, stamp):
            return
        crc32 = desk.checksum(key, stamp)
        if crc32 is not None and shelf.has(result, crc32):
            desk.skip(self.key)
            return
        place = shelf.place(result, info.mtime)
        target = self.target or ""
        yield Picture(key, target, lambda: data, shown, stamp, place, self.key)


def folder_of(key: str) -> str:
    """The name of an archive without its suffix."""
    for suffix in ARCHIVE_SUFFIXES:
        if key.lower().endswith(suffix):
            return key[: -len(suffix)]
    return key


def _open(path: Path | str) -> BinaryIO:
    return Path(path).open("rb")


def _take_over(shelf: Shelf, info: tarfile.TarInfo, data: bytes) -> None:
    """A member that is no picture, as it is."""
    if not shelf.has(info.name, zlib.crc32(data)):
        shelf.place(info.name, info.mtime).fill([data], lambda crc32: None, lambda error: None)


class _StrictInfo(tarfile.TarInfo):
    """Tells damage from an end, which :mod:`tarfile` takes it for."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(archive)
        except (tarfile.InvalidHeaderError, tarfile.TruncatedHeaderError) as error:  # type: ignore[attr-defined]
            raise tarfile.ReadError(str(error)) from error
