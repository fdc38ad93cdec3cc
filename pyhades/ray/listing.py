"""Paths of pictures as a Ray dataset whose blocks are right for actors, and for checkpoints."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from pyhades.arguments import check_count, check_flag
from pyhades.errors import ArgumentError
from pyhades.ray.required import ray_module
from pyhades.segmentation.bulk.sources.naming import result_of
from pyhades.segmentation.bulk.sources.opening import check_exists
from pyhades.segmentation.bulk.sources.tree import Tree
from pyhades.segmentation.bulk.sources.urls import Remote, is_url, reach

Listable = str | os.PathLike[str]

READERS = 2
"""Tasks that read paths at a time."""
BLOCKS_READ = 64
"""Of each task: on a small node it is a process that has to start, and reads in milliseconds."""


def list_pictures(
    inputs: Listable | Sequence[Listable], *, recursive: bool = True, suffix: str = ".png",
    batch_size: int = 16,
) -> Any:  # fmt: skip
    """The pictures of folders as a dataset of their paths, in blocks of ``batch_size`` rows.

    A block is what one actor takes at a time, and what is done again when a machine goes. Unlike
    rows that code has made (``ray.data.from_items``), these are read, so that a run with
    checkpoints knows which of them are done. Reading them takes no CPU from the actors.

    Parameters
    ----------
    inputs
        Folders, files, and URLs of either that fsspec knows; one or several. All machines have to
        see them under the same name.
    recursive
        Whether folders in folders count.
    suffix
        Of results; give it to :func:`pyhades.ray.remove_backgrounds`, too.
    batch_size
        Rows of a block; give it to :func:`pyhades.ray.remove_backgrounds`, too.

    Returns
    -------
    ray.data.Dataset
        ``path``: absolute, or a URL; each once. ``key``: the path below its input, with ``/``
        between folders. ``target``: the name of its result below a destination, as ``pyhades
        remove`` gives it; each once.

    Raises
    ------
    ArgumentError
        An input does not exist, there are no pictures, or two of them would have one result.
    ConfigurationError
        Ray is not installed.

    Examples
    --------
    >>> pyhades.ray.list_pictures("s3://bucket/photos")              # doctest: +SKIP
    Dataset(num_rows=40000, schema={path: string, key: string, target: string})
    """
    data = ray_module("ray.data")
    rows = check_count("batch_size", batch_size)
    table = listed_pictures(inputs, recursive=recursive, suffix=suffix)
    blocks = math.ceil(table.num_rows / rows)

    from pyhades.ray.blocks import Blocks

    parts = evenly_cut(table, math.ceil(blocks / BLOCKS_READ))
    # As Ray has been told of more blocks than there are tasks, it cuts what each of them reads.
    return data.read_datasource(
        Blocks(parts), override_num_blocks=blocks, num_cpus=0, concurrency=min(READERS, len(parts))
    )


def evenly_cut(table: pa.Table, count: int) -> list[pa.Table]:
    """So many parts, of as many rows each as can be."""
    ends = [table.num_rows * place // count for place in range(count + 1)]
    return [table.slice(first, last - first) for first, last in itertools.pairwise(ends)]


def listed_pictures(
    inputs: Listable | Sequence[Listable], *, recursive: bool = True, suffix: str = ".png"
) -> pa.Table:
    """The rows of :func:`list_pictures`, without Ray."""
    check_flag("recursive", recursive)
    given = [inputs] if isinstance(inputs, str | os.PathLike) else list(inputs)
    found: dict[str, tuple[str, str]] = {}
    for place in given:
        for path, key, target in pictures_below(os.fspath(place), recursive, suffix):
            found.setdefault(_known(path), (key, target))
    if not found:
        raise ArgumentError(f"no pictures in {', '.join(map(str, given)) or 'no inputs'}")
    _check_targets((path, target) for path, (_, target) in found.items())
    keys, targets = zip(*found.values(), strict=True)
    return pa.table({"path": list(found), "key": list(keys), "target": list(targets)})


def pictures_below(place: str, recursive: bool, suffix: str) -> Iterator[tuple[str, str, str]]:
    """Absolute paths, keys and names of results: of what is in a folder, or of a single file."""
    check_exists(place)
    if is_url(place):
        yield from _remote(place.rstrip("/"), recursive, suffix)
        return
    root = Path(place).absolute()
    if not root.is_dir():
        yield str(root), root.name, result_of(root.name, suffix)
        return
    for picture in Tree(root, suffix, recursive=recursive):
        yield str(root / picture.key), picture.key, picture.target


def _known(path: str) -> str:
    """A path as tables hold it.

    Raises
    ------
    ArgumentError
        It is no text.
    """
    try:
        path.encode()
    except UnicodeEncodeError:
        raise ArgumentError(f"{path!r} is no UTF-8, as names in tables are; rename it") from None
    return path


def _check_targets(named: Iterable[tuple[str, str]]) -> None:
    """ArgumentError where two pictures would have one result."""
    taken: dict[str, str] = {}
    for path, target in named:
        other = taken.setdefault(target, path)
        if other != path:
            raise ArgumentError(
                f"{other} and {path} would both become {target}; list them apart, or the folder "
                "above them"
            )


def _remote(url: str, recursive: bool, suffix: str) -> Iterator[tuple[str, str, str]]:
    files, root = reach(url)
    if files.isfile(root):
        name = url.rpartition("/")[2]
        yield url, name, result_of(name, suffix)
        return
    if not files.exists(root):
        raise ArgumentError(f"{url}: there is no such file or folder")
    for picture in Remote(url, suffix, recursive=recursive):
        yield f"{url}/{picture.key}", picture.key, picture.target
