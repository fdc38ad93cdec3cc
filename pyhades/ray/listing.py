"""Paths of pictures as a Ray dataset whose blocks are right for actors, and for checkpoints."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from pyhades.arguments import check_count, check_flag
from pyhades.errors import ArgumentError
from pyhades.ray.required import ray_module
from pyhades.segmentation.bulk.sources.opening import check_exists
from pyhades.segmentation.bulk.sources.tree import Tree
from pyhades.segmentation.bulk.sources.urls import Remote, is_url, reach

Listable = str | os.PathLike[str]

READERS = 2
"""Tasks that read blocks of paths at a time: each is a process, and takes milliseconds."""


def list_pictures(
    inputs: Listable | Sequence[Listable], *, recursive: bool = True, batch_size: int = 16
) -> Any:
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
    batch_size
        Rows of a block; give it to :func:`pyhades.ray.remove_backgrounds`, too.

    Returns
    -------
    ray.data.Dataset
        ``path``: absolute, or a URL; each once. ``key``: the path below its input, with ``/``
        between folders.

    Raises
    ------
    ArgumentError
        An input does not exist, or there are no pictures.
    ConfigurationError
        Ray is not installed.

    Examples
    --------
    >>> pyhades.ray.list_pictures("s3://bucket/photos")              # doctest: +SKIP
    Dataset(num_rows=40000, schema={path: string, key: string})
    """
    data = ray_module("ray.data")
    rows = check_count("batch_size", batch_size)
    check_flag("recursive", recursive)
    given = [inputs] if isinstance(inputs, str | os.PathLike) else list(inputs)
    found: dict[str, str] = {}
    for place in given:
        for path, key in pictures_below(os.fspath(place), recursive):
            found.setdefault(path, key)
    if not found:
        raise ArgumentError(f"no pictures in {', '.join(map(str, given)) or 'no inputs'}")
    table = pa.table({"path": list(found), "key": list(found.values())})
    blocks = [table.slice(first, rows) for first in range(0, len(found), rows)]

    from pyhades.ray.blocks import Blocks

    return data.read_datasource(
        Blocks(blocks), override_num_blocks=len(blocks), num_cpus=0, concurrency=READERS
    )


def pictures_below(place: str, recursive: bool) -> Iterator[tuple[str, str]]:
    """Absolute paths and keys of what is in a folder, or of a single file."""
    check_exists(place)
    if is_url(place):
        yield from _remote(place.rstrip("/"), recursive)
        return
    root = Path(place).absolute()
    if not root.is_dir():
        yield str(root), root.name
        return
    for picture in Tree(root, ".png", recursive=recursive):
        yield str(root / picture.key), picture.key


def _remote(url: str, recursive: bool) -> Iterator[tuple[str, str]]:
    files, root = reach(url)
    if files.isfile(root):
        yield url, url.rpartition("/")[2]
        return
    if not files.exists(root):
        raise ArgumentError(f"{url}: there is no such file or folder")
    for picture in Remote(url, ".png", recursive=recursive):
        yield f"{url}/{picture.key}", picture.key
