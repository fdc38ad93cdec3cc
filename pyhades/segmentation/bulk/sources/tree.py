"""Pictures in files: folders with all that is below them, and files by name."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from pyhades.segmentation.bulk.picture import Picture, broken, stamp_of
from pyhades.segmentation.bulk.sources.naming import is_hidden, is_picture, results_of


class Tree:
    """Pictures of a folder, and of those in it.

    Hidden files and folders are left out. Links to folders are followed, but not back to a folder
    that they lie in. Nothing is remembered: of millions of files, one folder's names are in memory.

    Parameters
    ----------
    root
        The folder.
    suffix
        Of results.
    recursive
        Whether folders in it count.
    excluded
        Folders that do not, such as the one where results go.
    """

    def __init__(
        self, root: Path, suffix: str, *, recursive: bool = True, excluded: Sequence[Path] = ()
    ) -> None:
        self.root = root
        self._suffix = suffix
        self._recursive = recursive
        self._excluded = {path.resolve() for path in excluded} - {root.resolve()}

    def __iter__(self) -> Iterator[Picture]:
        yield from self._folder(self.root, "", ())

    def holds(self, path: Path) -> bool:
        """Whether an existing file is one of the pictures."""
        root, found = self.root.resolve(), path.resolve()
        if root not in found.parents or not is_picture(path.name):
            return False
        below = found.relative_to(root).parts
        hidden = any(map(is_hidden, below)) or self._excluded & set(found.parents)
        return not hidden and (self._recursive or len(below) == 1)

    def _folder(
        self, folder: Path, prefix: str, above: tuple[tuple[int, int], ...]
    ) -> Iterator[Picture]:
        """``above``: device and number of each folder on the way here."""
        try:
            status = folder.stat()
            here = (status.st_dev, status.st_ino)
            if here in above:
                raise OSError(f"{folder} links back to a folder that it lies in")
            with os.scandir(folder) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            yield broken(prefix or folder.name, error, str(folder))
            return
        visible = [entry for entry in found if not is_hidden(entry.name)]
        files = [e for e in visible if is_picture(e.name) and not _is_folder(e)]
        names = results_of((entry.name for entry in files), self._suffix)
        for entry in files:
            yield picture_of(Path(entry.path), prefix + entry.name, prefix + names[entry.name])
        for entry in visible:
            if self._recursive and _is_folder(entry):
                below = Path(entry.path)
                if not self._excluded or below.resolve() not in self._excluded:
                    yield from self._folder(below, f"{prefix}{entry.name}/", (*above, here))

    def __repr__(self) -> str:
        return f"Tree({str(self.root)!r})"


class Files:
    """Pictures that are named one by one.

    Parameters
    ----------
    paths
        Of files.
    suffix
        Of results.
    """

    def __init__(self, paths: Sequence[Path], suffix: str) -> None:
        self._paths = list(paths)
        self._names = results_of((path.name for path in paths), suffix)

    def __iter__(self) -> Iterator[Picture]:
        for path in self._paths:
            yield picture_of(path, path.name, self._names[path.name])

    def holds(self, path: Path) -> bool:
        """Whether an existing file is one of the pictures."""
        return any(given.exists() and given.samefile(path) for given in self._paths)


def picture_of(path: Path, key: str, target: str) -> Picture:
    """The picture in a file, which may have vanished."""
    try:
        stamp = stamp_of(path)
    except OSError as error:
        return broken(key, error, str(path))
    return Picture(key, target, path.read_bytes, str(path), stamp)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False
