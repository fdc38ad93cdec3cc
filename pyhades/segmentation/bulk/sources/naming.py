"""Which picture becomes which file."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from pathlib import PurePosixPath

from pyhades.errors import ArgumentError

INPUT_SUFFIXES = {
    *(".jpg", ".jpeg", ".jpe", ".mpo", ".png", ".webp", ".tif", ".tiff"),
    *(".bmp", ".gif", ".avif", ".ppm", ".pgm"),
}
"""Of files that are taken for pictures where nobody names them."""
ARCHIVE_SUFFIXES = (".tar", ".tar.gz", ".tgz")
TABLE_SUFFIXES = (".parquet", ".pq")


def is_picture(name: str) -> bool:
    """By its suffix."""
    return PurePosixPath(name).suffix.lower() in INPUT_SUFFIXES


def is_hidden(name: str) -> bool:
    """Of a file or a folder that nobody means."""
    return name.startswith(".")


def results_of(names: Iterable[str], suffix: str) -> dict[str, str]:
    """Names of the results of files that lie in one folder.

    Those that differ in their suffix only keep it.

    Examples
    --------
    >>> results_of(["a.jpg", "b.jpg", "b.png"], ".png")
    {'a.jpg': 'a.png', 'b.jpg': 'b.jpg.png', 'b.png': 'b.png.png'}
    """
    files = list(names)
    stems = Counter(PurePosixPath(name).stem for name in files)
    made = {}
    full = {name + suffix for name in files if stems[PurePosixPath(name).stem] > 1}
    for name in files:
        short = PurePosixPath(name).stem + suffix
        keeps = name + suffix in full or short in full  # of "a.jpg", "a.png" and "a.jpg.tif"
        made[name] = name + suffix if keeps else short
    return made


def inside(path: str, *, what: str = "the path") -> str:
    """A path that stays below the folder that it is added to.

    Examples
    --------
    >>> inside("/data/cats/1.jpg")
    'data/cats/1.jpg'
    """
    parts = [part for part in PurePosixPath(path).parts if part != "/"]
    if ".." in parts or not parts:
        raise ArgumentError(f"{what} {path!r} leads out of the destination")
    return "/".join(parts)


class Taken:
    """Which results have been promised, and to whom nobody needs to know.

    Hashes of 8 bytes: of a billion names, two are the same with a chance of 3 %.
    """

    def __init__(self) -> None:
        self._names: set[int] = set()
        self._folded: set[int] = set()

    def take(self, target: str) -> bool:
        """Promise a name; False where it was promised before."""
        name = _number(target)
        if name in self._names:
            return False
        self._names.add(name)
        return True

    def is_case_clash(self, target: str) -> bool:
        """Whether another name differs from this in nothing but case."""
        name = _number(target.casefold())
        if name in self._folded:
            return True
        self._folded.add(name)
        return False


def _number(text: str) -> int:
    encoded = text.encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.blake2b(encoded, digest_size=8).digest(), "big")
