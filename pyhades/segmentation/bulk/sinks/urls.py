"""Results where fsspec writes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyhades.segmentation.bulk.sinks.parts import part_name, release
from pyhades.segmentation.bulk.sources.urls import reach

AT_ONCE = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oci", "r2", "hf"}
"""Stores whose objects appear when they are whole: a name for the time being would be a copy."""


class UrlSink:
    """Writes below a URL.

    Parameters
    ----------
    url
        Such as ``s3://bucket/cutouts``.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._files, self._root = reach(url)
        protocol = self._files.protocol
        names = {protocol} if isinstance(protocol, str) else set(protocol)
        self._at_once = bool(names & AT_ONCE)

    def size(self, target: str) -> int | None:
        """Of an object; None where there is none."""
        try:
            info: dict[str, Any] = self._files.info(self._path(target))
        except FileNotFoundError:
            return None
        return int(info["size"]) if info["type"] == "file" else None

    def exists(self, target: str) -> bool:
        """Whether something has that name."""
        return bool(self._files.exists(self._path(target)))

    def holds(self, target: str, parts: Sequence[bytes]) -> bool:
        """Whether an object is there that has this content."""
        data = b"".join(parts)
        return self.size(target) == len(data) and self._files.cat_file(self._path(target)) == data

    def write(self, target: str, parts: Sequence[bytes], *, replace: bool) -> None:
        """Write an object; see :meth:`FileSink.write`.

        Between the look whether there is one and the write, others may write it: no store has a
        name that is given only once.
        """
        path = self._path(target)
        if not replace and self.exists(target):
            raise FileExistsError(17, "File exists", path)
        data = b"".join(parts)
        if self._at_once:
            self._files.pipe_file(path, data)
            return
        folder = path.rpartition("/")[0]
        self._files.makedirs(folder, exist_ok=True)
        name = part_name()
        part = f"{folder}/{name}"
        try:
            self._files.pipe_file(part, data)
            self._files.mv(part, path)
        except BaseException:
            if self._files.exists(part):
                self._files.rm_file(part)
            raise
        finally:
            release(name)

    def _path(self, target: str) -> str:
        return f"{self._root}/{target}"
