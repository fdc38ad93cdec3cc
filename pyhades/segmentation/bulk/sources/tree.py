"""Pictures in files: folders with all that is below them, and files by name."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pyhades.segmentation.bulk.picture import Picture, broken, stamp_of
from pyhades.segmentation.bulk.sources.left_out import LeftOut
from pyhades.segmentation.bulk.sources.naming import is_hidden, is_picture, results_of
from pyhades.segmentation.bulk.sources.patterns import ALL, PLAIN, Selection


class Tree:
    """Pictures of a folder, and of those in it.

    Hidden files and folders are left out. Links to folders are followed, but only out of the tree,
    and each of those folders once: there is no way in circles, and none that doubles at every link.
    Nothing else is remembered: of millions of files, one folder's names are in memory.

    Parameters
    ----------
    root
        The folder.
    suffix, pattern
        Of results, see :func:`~pyhades.segmentation.bulk.sources.naming.result_of`.
    recursive
        Whether folders in it count.
    excluded
        Folders that do not, such as the one where results go.
    selection
        Which pictures are meant.
    results
        Files that runs have made, with their sizes: they are no pictures. It may grow.

    Attributes
    ----------
    left_out
        What was not taken, the last time that it was gone through.
    """

    def __init__(
        self, root: Path, suffix: str, *, pattern: str = PLAIN, recursive: bool = True,
        excluded: Sequence[Path] = (), selection: Selection = ALL,
        results: Mapping[str, int] | None = None,
    ) -> None:  # fmt: skip
        self.root = root
        self._suffix = suffix
        self._pattern = pattern
        self._recursive = recursive
        self._excluded = {path.resolve() for path in excluded} - {root.resolve()}
        self._selection = selection
        self._results = {} if results is None else results
        self.left_out = LeftOut()

    def __iter__(self) -> Iterator[Picture]:
        self.left_out = LeftOut()
        yield from self._folder(self.root, "", set())

    def holds(self, path: Path) -> bool:
        """Whether an existing file is one of the pictures."""
        found = path.resolve()
        return self._covers(found) and not self._is_result(found)

    @property
    def is_selective(self) -> bool:
        """Whether some pictures are not meant."""
        return bool(self._selection)

    def covers(self, path: Path) -> bool:
        """Whether a file that somebody names lies here and is taken anyway; links are not files."""
        return self._covers(path.parent.resolve() / path.name)

    def covers_folder(self, path: Path) -> bool:
        """Whether a folder that somebody names is gone through anyway."""
        found, root = path.resolve(), self.root.resolve()
        if found == root:
            return True
        return self._recursive and root in found.parents and self._goes_to(found, root)

    def _covers(self, found: Path) -> bool:
        root = self.root.resolve()
        if root not in found.parents or not is_picture(found.name) or is_hidden(found.name):
            return False
        if found.parent != root and not (self._recursive and self._goes_to(found.parent, root)):
            return False
        return self._selection.takes(found.relative_to(root).as_posix())

    def _goes_to(self, folder: Path, root: Path) -> bool:
        hidden = any(map(is_hidden, folder.relative_to(root).parts))
        return not hidden and not self._excluded & {folder, *folder.parents}

    def _folder(self, folder: Path, prefix: str, followed: set[Path]) -> Iterator[Picture]:
        """``followed``: folders that links have led to."""
        try:
            with os.scandir(folder) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            yield broken(prefix or folder.name, error, str(folder))
            return
        visible = [entry for entry in found if not is_hidden(entry.name)]
        folders = [entry for entry in visible if _is_folder(entry)]
        below = {entry.name for entry in folders}
        files = [e for e in visible if e.name not in below and self._takes(e, prefix)]
        names = results_of((entry.name for entry in files), self._suffix, self._pattern, below)
        for entry in files:
            yield picture_of(Path(entry.path), prefix + entry.name, prefix + names[entry.name])
        for entry in folders if self._recursive else []:
            if self._enters(entry, prefix, followed):
                yield from self._folder(Path(entry.path), f"{prefix}{entry.name}/", followed)

    def _takes(self, entry: os.DirEntry[str], prefix: str) -> bool:
        if self._selection and not self._selection.takes(prefix + entry.name):
            return False
        if not is_picture(entry.name):
            self.left_out.add(entry.path)
            return False
        if _is_pipe(entry):  # reading one may never end
            self.left_out.others.append(
                f"left out: {Path(entry.path)}, which is a pipe or a device"
            )
            return False
        is_result = bool(self._results) and self._is_result(Path(entry.path))
        self.left_out.results += is_result
        return not is_result

    def _is_result(self, path: Path) -> bool:
        size = self._results.get(str(path.resolve()))
        return size is not None and path.stat().st_size == size

    def _enters(self, entry: os.DirEntry[str], prefix: str, followed: set[Path]) -> bool:
        if self._selection and not self._selection.enters(prefix + entry.name):
            return False
        if not (entry.is_symlink() or self._excluded):
            return True
        found = Path(entry.path).resolve()
        if found in self._excluded:
            return False
        if entry.is_symlink():
            why = self._why_not_follow(found, followed)
            if why:
                self.left_out.links.append(
                    f"left out: the link {Path(entry.path)} to {found}, {why}"
                )
                return False
            followed.add(found)
        return True

    def _why_not_follow(self, found: Path, followed: set[Path]) -> str:
        root, above = self.root.resolve(), {found, *found.parents}
        if found in root.parents:
            return "in which the folder itself lies"
        if followed & above or (root in above and self._goes_to(found, root)):
            return "which is gone through anyway"
        return ""

    def __repr__(self) -> str:
        return f"Tree({str(self.root)!r})"


class Files:
    """Pictures that are named one by one.

    Parameters
    ----------
    paths
        Of files.
    suffix, pattern
        Of results.
    """

    def __init__(self, paths: Sequence[Path], suffix: str, pattern: str = PLAIN) -> None:
        self._paths = list(paths)
        self._names = results_of({path.name for path in paths}, suffix, pattern)

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


def _is_pipe(entry: os.DirEntry[str]) -> bool:
    """Whether it is there and no file; a link that leads nowhere shows when it is read."""
    try:
        return not entry.is_file() and Path(entry.path).exists()
    except OSError:
        return False
