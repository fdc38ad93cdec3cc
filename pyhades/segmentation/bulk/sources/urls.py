"""Pictures that fsspec reaches: object stores, file servers, archives."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Any

from pyhades.errors import ArgumentError, ConfigurationError
from pyhades.segmentation.bulk.picture import Picture, Stamp, broken
from pyhades.segmentation.bulk.sources.naming import (
    is_hidden,
    is_picture,
    result_of,
    results_of,
)
from pyhades.segmentation.bulk.sources.patterns import ALL, PLAIN, Selection


class Remote:
    """Pictures below a URL, or the one that it names.

    Parameters
    ----------
    url
        Such as ``s3://bucket/photos``.
    suffix, pattern
        Of results, see :func:`~pyhades.segmentation.bulk.sources.naming.result_of`.
    recursive
        Whether folders in it count.
    selection
        Which pictures are meant.
    """

    def __init__(
        self, url: str, suffix: str, *, pattern: str = PLAIN, recursive: bool = True,
        selection: Selection = ALL,
    ) -> None:  # fmt: skip
        self.url = url
        self._suffix = suffix
        self._pattern = pattern
        self._selection = selection
        self._recursive = recursive
        self._files, self._root = reach(url)

    def __iter__(self) -> Iterator[Picture]:
        if self._files.isfile(self._root):
            name = self._root.rpartition("/")[2]
            info = self._files.info(self._root)
            yield self._picture(name, result_of(name, self._suffix, self._pattern), info)
            return
        yield from self._folder(self._root, "")

    def holds(self, path: object) -> bool:
        """No file of this machine is."""
        return False

    def _folder(self, folder: str, prefix: str) -> Iterator[Picture]:
        try:
            found = sorted(self._files.ls(folder, detail=True), key=lambda info: str(info["name"]))
        except Exception as error:  # every file system has its own
            yield broken(prefix or self.url, error, f"{self.url}/{prefix}")
            return
        named = [(_last(info["name"]), info) for info in found]
        files = {n: i for n, i in named if i["type"] == "file" and self._takes(prefix, n)}
        names = results_of(files, self._suffix, self._pattern)
        for name, info in files.items():
            yield self._picture(prefix + name, prefix + names[name], info)
        for name, info in named:
            is_below = self._recursive and info["type"] == "directory" and not is_hidden(name)
            if is_below and self._selection.enters(prefix + name):
                yield from self._folder(info["name"], f"{prefix}{name}/")

    def _takes(self, prefix: str, name: str) -> bool:
        is_meant = is_picture(name) and not is_hidden(name)
        return is_meant and self._selection.takes(prefix + name)

    def _picture(self, key: str, target: str, info: dict[str, Any]) -> Picture:
        path = info["name"]
        stamp = Stamp(int(info.get("size") or 0), _changed(info))
        return Picture(key, target, lambda: self._read(path), f"{self.url}/{key}", stamp)

    def _read(self, path: str) -> bytes:
        return bytes(self._files.cat_file(path))


def reach(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path in it."""
    try:
        import fsspec
    except ImportError as error:
        raise ConfigurationError(f"{url} needs fsspec: pip install 'pyhades[bulk]'") from error
    try:
        files, path = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise ArgumentError(f"{url}: {error}") from error
    return files, path.rstrip("/")


def open_remote(url: str) -> tuple[Stamp, Callable[[], Any]]:
    """The stamp of a file behind a URL, and what opens it.

    Raises
    ------
    ArgumentError
        There is none.
    """
    files, path = reach(url)
    try:
        info = files.info(path)
    except FileNotFoundError as error:
        raise ArgumentError(f"{url}: there is no such file") from error
    return Stamp(int(info.get("size") or 0), _changed(info)), lambda: files.open(path, "rb")


def is_url(text: str) -> bool:
    """Whether it is meant for fsspec."""
    return "://" in text


def _last(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def _changed(info: dict[str, Any]) -> int:
    """When, or else a number that changes with the content."""
    for name in ("mtime", "LastModified", "created", "ETag", "etag"):
        value = info.get(name)
        if isinstance(value, int | float):
            return int(value * 10**9)
        if value:
            return zlib.crc32(str(value).encode())
    return 0
