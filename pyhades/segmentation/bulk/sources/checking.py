"""Names of pictures and of results, looked at before anything is read."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from pyhades.errors import ArgumentError
from pyhades.segmentation.bulk.picture import Picture
from pyhades.segmentation.bulk.sources.naming import Taken
from pyhades.segmentation.bulk.sources.opening import Opened, Source
from pyhades.segmentation.bulk.sources.tar import folder_of
from pyhades.segmentation.bulk.sources.tree import Files, Tree


def check(
    opened: Opened,
    destination: Path | None,
    holds: Callable[[str], bool],
    spared: Sequence[Path] = (),
) -> tuple[int, list[str]]:
    """Go through all names once, before anything is read.

    Parameters
    ----------
    opened
        The inputs.
    destination
        Where results go; None where it is not a folder of this machine.
    holds
        Whether a picture, or a table, is of this run's shard.
    spared
        Other files that are read, and that no result replaces.

    Returns
    -------
    tuple
        How many pictures there are, as far as anybody can say, and what is to be said: of names
        that differ in case only, and of what was left out.

    Raises
    ------
    ArgumentError
        A folder has no pictures, two of them want the same file, or a result would be an input.
    """
    taken, count, warning = Taken(), 0, ""
    inputs: list[Source] = [*opened.files, Files(spared, "")]
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
                _check_result(picture, destination / picture.target, inputs)
            above = picture.target.rpartition("/")[0]
            if above != folder:
                folder, names = above, Taken()
            if names.is_case_clash(picture.target):
                warning = f"{picture} has a result that differs from another in case only"
        if is_empty and isinstance(source, Tree):
            raise ArgumentError(_nothing_in(source))
    for archive in opened.archives:
        target = archive.target or folder_of(archive.key)
        _check_container(archive.path, target, taken, destination)
    for table in opened.tables:
        _check_container(table.path, table.target or table.folder, taken, destination)
    notes = [*([warning] if warning else []), *opened.notes()]
    return count + sum(len(t) for t in opened.tables if holds(t.key)), notes


def _nothing_in(tree: Tree) -> str:
    which = " that include and exclude leave" if tree.is_selective else ""
    said = [f"{tree.root}: no images in this folder{which}", *tree.left_out.lines()]
    return "; ".join(said)


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
