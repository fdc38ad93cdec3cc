"""Which picture becomes which file."""

from __future__ import annotations

import functools
import hashlib
from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path, PurePosixPath

from PIL import Image

from pyhades.errors import ArgumentError
from pyhades.segmentation.bulk.sources.patterns import PLAIN
from pyhades.segmentation.image.formats import picture_suffixes

ARCHIVE_SUFFIXES = (".tar", ".tar.gz", ".tgz")
TABLE_SUFFIXES = (".parquet", ".pq")


def is_picture(name: str) -> bool:
    """By its suffix."""
    return PurePosixPath(name).suffix.lower() in _suffixes(len(Image.EXTENSION))


@functools.cache
def _suffixes(known: int) -> frozenset[str]:
    """Looked up again when somebody has registered more: ``known`` says how many Pillow has."""
    return picture_suffixes()


def is_hidden(name: str) -> bool:
    """Of a file or a folder that nobody means."""
    return name.startswith(".")


def results_of(
    names: Iterable[str], suffix: str, pattern: str = PLAIN, folders: Collection[str] = ()
) -> dict[str, str]:
    """Names of the results of files that lie in one folder, all of them different.

    Those that differ in their suffix only keep it, and so do those that would be called as one of
    the ``folders`` beside them.

    Examples
    --------
    >>> results_of(["a.jpg", "b.jpg", "b.png"], ".png")
    {'a.jpg': 'a.png', 'b.jpg': 'b.jpg.png', 'b.png': 'b.png.png'}
    """
    files = list(names)
    short = {name: result_of(name, suffix, pattern) for name in files}
    long = {name: result_of(name, suffix, pattern, keep=True) for name in files}
    count = Counter(short.values())
    keeping = [name for name in files if count[short[name]] > 1 or short[name] in folders]
    plain = {short[name]: name for name in files if name not in set(keeping)}
    for name in keeping:  # grows: "a.jpg" and "a.png" make "a.jpg.tif" keep its suffix, too
        if long[name] in plain:
            keeping.append(plain.pop(long[name]))
    return {**short, **{name: long[name] for name in keeping}}


def result_of(name: str, suffix: str, pattern: str = PLAIN, *, keep: bool = False) -> str:
    """Name of the result of a file that is alone.

    Parameters
    ----------
    name
        Of the picture.
    suffix, pattern
        Of the result, see :func:`~pyhades.segmentation.bulk.sources.patterns.check_name_pattern`.
    keep
        Whether the suffix of the picture stays, too.
    """
    stem = name if keep else PurePosixPath(name).stem
    return pattern.format(stem=stem, name=name, suffix=suffix)


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
    """Which results have been promised, and to whom, as far as anybody needs to know.

    Hashes of 8 bytes: of a billion names, two are the same with a chance of 3 %.
    """

    def __init__(self) -> None:
        self._names: dict[int, int] = {}
        self._folded: set[int] = set()

    def take(self, target: str, source: str = "") -> bool:
        """Promise a name to a file; False where it was promised before."""
        name = _number(target)
        if name in self._names:
            return False
        self._names[name] = _number(str(Path(source).absolute())) if source else 0
        return True

    def has(self, target: str, source: str) -> bool:
        """Whether a name was promised to this very file: somebody has named it twice."""
        return self._names.get(_number(target)) == _number(str(Path(source).absolute()))

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
