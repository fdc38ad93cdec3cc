"""From what a caller names to sources of pictures, and what is wrong with their names."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pyhades.errors import ArgumentError
from pyhades.segmentation.bulk.picture import Picture
from pyhades.segmentation.bulk.sources.lists import Listed
from pyhades.segmentation.bulk.sources.naming import ARCHIVE_SUFFIXES, TABLE_SUFFIXES
from pyhades.segmentation.bulk.sources.parquet import Table
from pyhades.segmentation.bulk.sources.patterns import ALL, PLAIN, Selection
from pyhades.segmentation.bulk.sources.tar import Archive, Desk, folder_of
from pyhades.segmentation.bulk.sources.tree import Files, Tree
from pyhades.segmentation.bulk.sources.urls import Remote, is_url, open_remote
from pyhades.segmentation.bulk.watch import Watched

InputLike = str | os.PathLike[str] | Listed


class Source(Protocol):
    """Pictures, each time that it is gone through."""

    def __iter__(self) -> Iterator[Picture]: ...

    def holds(self, path: Path) -> bool:
        """Whether an existing file is one of them."""


@dataclass
class Opened:
    """What a run goes through.

    Attributes
    ----------
    files
        Sources that can be gone through twice.
    tables, archives
        Files with pictures in them.
    passing
        Sources that are gone through once.
    repeated
        Inputs that were named again, by whatever name, and are taken once.
    """

    files: list[Source] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    archives: list[Archive] = field(default_factory=list)
    passing: list[Listed | Watched] = field(default_factory=list)
    repeated: int = 0

    @property
    def several(self) -> bool:
        """Whether names of results may clash that no source has seen together."""
        count = len(self.files) + len(self.tables) + len(self.archives) + len(self.passing)
        return count > 1 or any(isinstance(source, Listed) for source in self.passing)

    @property
    def in_order(self) -> bool:
        """Whether results are wanted in the order of pictures: those that share a file are."""
        return bool(self.archives) or any(table.target is not None for table in self.tables)

    def pictures(self, desk: Desk, holds: Callable[[str], bool]) -> Iterator[Picture]:
        """All of them, of those that are of this run's shard."""
        for source in [*self.files, *self.passing]:
            yield from (picture for picture in source if holds(picture.key))
        containers: list[Table | Archive] = [*self.tables, *self.archives]
        for container in containers:
            if holds(container.key):
                yield from container.pictures(desk)

    def notes(self) -> Iterator[str]:
        """What is to be said of what was found, once it was gone through."""
        if self.repeated:
            yield f"named more than once, and done once: {self.repeated}"
        for source in self.files:
            if isinstance(source, Tree):
                yield from source.left_out.lines()

    def stop(self) -> None:
        """Wait for no more pictures."""
        for source in self.passing:
            source.stop()


@dataclass(frozen=True)
class Finding:
    """How pictures are looked for, and what their results are called.

    Attributes
    ----------
    suffix, pattern
        Of results, see :func:`~pyhades.segmentation.bulk.sources.naming.result_of`.
    recursive, excluded, selection, results
        See :class:`~pyhades.segmentation.bulk.sources.tree.Tree`.
    unpack
        Whether pictures of archives become files.
    column
        Of tables.
    watch
        Seconds between two looks at folders; None for a single one.
    """

    suffix: str
    pattern: str = PLAIN
    recursive: bool = True
    excluded: Sequence[Path] = ()
    selection: Selection = ALL
    results: Mapping[str, int] | None = None
    unpack: bool = False
    column: str | None = None
    watch: float | None = None

    @property
    def is_plain(self) -> bool:
        """Whether all pictures are meant, and their results are called as usual."""
        return self.pattern == PLAIN and not self.selection

    def tree(self, root: Path) -> Tree:
        """Pictures of a folder."""
        return Tree(
            root, self.suffix, pattern=self.pattern, recursive=self.recursive,
            excluded=self.excluded, selection=self.selection, results=self.results,
        )  # fmt: skip


def open_inputs(inputs: Sequence[InputLike], how: Finding) -> Opened:
    """Say what kind of input each is. What is named twice is taken once.

    Raises
    ------
    ArgumentError
        One does not exist.
    """
    opened, loose = Opened(), []
    trees: list[Tree] = []
    for given in inputs:
        if isinstance(given, Listed):
            opened.passing.append(given)
            continue
        text, path = os.fspath(given), Path(given)
        check_exists(text)
        if text.lower().endswith(ARCHIVE_SUFFIXES) and not path.is_dir():
            opened.archives.append(_archive(text, how.suffix, how.unpack))
        elif is_url(text):
            opened.files.append(_remote(text, how))
        elif path.is_dir():
            trees.append(how.tree(path))
        elif text.lower().endswith(TABLE_SUFFIXES):
            target = None if how.unpack else path.name
            opened.tables.append(Table(path, path.name, target, how.suffix, how.column))
        else:
            loose.append(path)
    _only_plain(opened, how)
    _add_folders(opened, trees, how.watch)
    _add_files(opened, trees, loose, how)
    return opened


def check_exists(text: str) -> None:
    """ArgumentError where a path leads to nothing. URLs are not looked up."""
    if not text:
        raise ArgumentError("an input is an empty text, not a path; is a variable not set?")
    if is_url(text):
        return
    try:
        os.lstat(text.rstrip("/") or text)
    except (FileNotFoundError, NotADirectoryError):
        raise ArgumentError(f"{text}: there is no such file or folder{_hint(text)}") from None
    except OSError as error:
        raise ArgumentError(f"{text}: {error.strerror}") from error


def _remote(url: str, how: Finding) -> Remote:
    return Remote(
        url, how.suffix, pattern=how.pattern, recursive=how.recursive, selection=how.selection
    )


def _hint(text: str) -> str:
    if any(sign in text for sign in "*?["):
        return "; shells leave a pattern as it is that fits nothing, or that stands in quotes"
    if text.startswith("~"):
        return "; a shell has not replaced ~ by the home folder"
    return ""


def _only_plain(opened: Opened, how: Finding) -> None:
    if not how.is_plain and (opened.tables or opened.archives or opened.passing):
        raise ArgumentError(
            "include, exclude and name_pattern are for folders and files; lists, archives and "
            "tables are taken as they are"
        )


def _add_folders(opened: Opened, trees: list[Tree], watch: float | None) -> None:
    for tree in list(trees):
        rest = [other for other in trees if other is not tree]
        if any(other.covers_folder(tree.root) for other in rest):
            trees.remove(tree)
            opened.repeated += 1
    if watch is None:
        opened.files += trees
    else:
        opened.passing += [Watched(tree, watch) for tree in trees]


def _add_files(opened: Opened, trees: list[Tree], loose: list[Path], how: Finding) -> None:
    files: dict[Path, Path] = {}
    for path in loose:
        place = path.parent.resolve() / path.name
        if place in files or any(tree.covers(path) for tree in trees):
            opened.repeated += 1
        elif how.selection.takes(path.name):
            files[place] = path
    if files:
        opened.files.insert(0, Files(list(files.values()), how.suffix, how.pattern))
    elif loose and not (opened.repeated or opened.files):
        raise ArgumentError("of the files that were named, include and exclude leave none")


def _archive(text: str, suffix: str, unpack: bool) -> Archive:
    name = text.rpartition("/")[2]
    target = None if unpack else f"{folder_of(name)}.tar"
    if is_url(text):
        stamp, opened = open_remote(text)
        return Archive(text, name, target, suffix, opened, stamp)
    return Archive(Path(text), name, target, suffix)
