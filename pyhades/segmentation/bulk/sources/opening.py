"""From what a caller names to sources of pictures, and what is wrong with their names."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pyhades.errors import ArgumentError
from pyhades.segmentation.bulk.picture import Picture
from pyhades.segmentation.bulk.sources.lists import Listed
from pyhades.segmentation.bulk.sources.naming import (
    ARCHIVE_SUFFIXES,
    INPUT_SUFFIXES,
    TABLE_SUFFIXES,
    Taken,
)
from pyhades.segmentation.bulk.sources.parquet import Table
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
    """

    files: list[Source] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    archives: list[Archive] = field(default_factory=list)
    passing: list[Listed | Watched] = field(default_factory=list)

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

    def stop(self) -> None:
        """Wait for no more pictures."""
        for source in self.passing:
            source.stop()


def open_inputs(
    inputs: Sequence[InputLike],
    suffix: str,
    *,
    recursive: bool,
    excluded: Sequence[Path],
    unpack: bool = False,
    column: str | None = None,
    watch: float | None = None,
) -> Opened:
    """Say what kind of input each is.

    Raises
    ------
    ArgumentError
        One does not exist.
    """
    opened, loose = Opened(), []
    for given in inputs:
        if isinstance(given, Listed):
            opened.passing.append(given)
            continue
        text, path = os.fspath(given), Path(given)
        if text.lower().endswith(ARCHIVE_SUFFIXES) and not path.is_dir():
            opened.archives.append(_archive(text, suffix, unpack))
        elif is_url(text):
            opened.files.append(Remote(text, suffix, recursive=recursive))
        elif path.is_dir():
            tree = Tree(path, suffix, recursive=recursive, excluded=excluded)
            if watch is None:
                opened.files.append(tree)
            else:
                opened.passing.append(Watched(tree, watch))
        elif not os.path.lexists(path):
            raise ArgumentError(f"{path}: there is no such file or folder")
        elif text.lower().endswith(TABLE_SUFFIXES):
            target = None if unpack else path.name
            opened.tables.append(Table(path, path.name, target, suffix, column))
        else:
            loose.append(path)
    if loose:
        opened.files.insert(0, Files(loose, suffix))
    return opened


def _archive(text: str, suffix: str, unpack: bool) -> Archive:
    name = text.rpartition("/")[2]
    target = None if unpack else f"{folder_of(name)}.tar"
    if is_url(text):
        stamp, opened = open_remote(text)
        return Archive(text, name, target, suffix, opened, stamp)
    if not os.path.lexists(text):
        raise ArgumentError(f"{text}: there is no such file or folder")
    return Archive(Path(text), name, target, suffix)


def check(
    opened: Opened, destination: Path | None, holds: Callable[[str], bool]
) -> tuple[int, str]:
    """Go through all names once, before anything is read.

    Parameters
    ----------
    opened
        The inputs.
    destination
        Where results go; None where it is not a folder of this machine.
    holds
        Whether a picture, or a table, is of this run's shard.

    Returns
    -------
    tuple
        How many pictures there are, as far as anybody can say, and a warning about names that
        differ in case only, or nothing.

    Raises
    ------
    ArgumentError
        A folder has no pictures, two of them want the same file, or a result would be an input.
    """
    taken, count, warning = Taken(), 0, ""
    remembers = opened.several or any(isinstance(source, Files) for source in opened.files)
    folder, names = "", Taken()
    for source in opened.files:
        is_empty = True
        for picture in source:
            is_empty = False
            count += holds(picture.key)
            if not picture.target:
                continue
            if remembers and not taken.take(picture.target):
                raise ArgumentError(
                    f"{picture} and another input would both become {picture.target}"
                )
            if destination is not None:
                _check_result(picture, destination / picture.target, opened.files)
            above = picture.target.rpartition("/")[0]
            if above != folder:
                folder, names = above, Taken()
            if names.is_case_clash(picture.target):
                warning = f"{picture} has a result that differs from another in case only"
        if is_empty and isinstance(source, Tree):
            known = " ".join(sorted(INPUT_SUFFIXES))
            raise ArgumentError(f"{source.root}: no images in this folder ({known})")
    for archive in opened.archives:
        target = archive.target or folder_of(archive.key)
        _check_container(archive.path, target, taken, destination)
    for table in opened.tables:
        _check_container(table.path, table.target or table.folder, taken, destination)
    return count + sum(len(t) for t in opened.tables if holds(t.key)), warning


def _check_result(picture: Picture, result: Path, sources: Sequence[Source]) -> None:
    if os.path.lexists(result) and any(source.holds(result) for source in sources):
        raise ArgumentError(
            f"{picture}: the result would replace the input {result}; choose another output"
        )


def _check_container(path: Path | str, target: str, taken: Taken, destination: Path | None) -> None:
    if not taken.take(target):
        raise ArgumentError(f"{path} and another input would both become {target}")
    result = None if destination is None else destination / target
    is_there = result is not None and result.exists() and Path(path).exists()
    if result is not None and is_there and result.samefile(path):
        raise ArgumentError(
            f"{path}: the result would replace the input {result}; choose another output"
        )
