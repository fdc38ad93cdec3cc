"""Folders in which files of models are looked for: ours, and those of other tools."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from pyhades.cache import cache_root, hugging_face_hub
from pyhades.segmentation.catalogue import Entry, PublishedFile

_HUGGING_FACE = re.compile(r"https://huggingface\.co/([^/]+)/([^/]+)/resolve/[^/]+/(.+)")


def cache_folder() -> Path:
    """Our folder of models: ``PYHADES_CACHE``, else one in the user's cache."""
    return cache_root() / "models"


def places(entry: Entry, file: PublishedFile) -> Iterator[tuple[Path, str]]:
    """Where ``file`` may lie, the likeliest first, and whose folder that is."""
    yield cache_folder() / entry.name / file.name, "pyhades"
    for folder in _rembg_folders(entry.name):
        yield folder / file.name, "rembg"
    for path in _hugging_face(file):
        yield path, "Hugging Face"
    yield _transparent_background() / file.name, "transparent-background"


def _rembg_folders(name: str) -> Iterator[Path]:
    """The folder per model that rembg has since 2.0.80, and the one for all before."""
    legacy = os.environ.get("U2NET_HOME")
    data = os.environ.get("XDG_DATA_HOME")
    default = f"{data}/rembg" if data else "~/.rembg"
    home = legacy or os.environ.get("REMBG_HOME") or default
    yield Path(home).expanduser() / "models" / name
    yield Path(legacy or f"{data or '~'}/.u2net").expanduser()


def _hugging_face(file: PublishedFile) -> Iterator[Path]:
    """Links in the snapshots of a repository, and the file itself, which is named by its sha256."""
    match = None if file.url is None else _HUGGING_FACE.fullmatch(file.url)
    if match is None:
        return
    owner, repository, path = match.groups()
    folder = hugging_face_hub() / f"models--{owner}--{repository}"
    if file.sha256 is not None:
        yield folder / "blobs" / file.sha256
    snapshots = folder / "snapshots"
    if snapshots.is_dir():
        yield from sorted(snapshot / path for snapshot in snapshots.iterdir())


def _transparent_background() -> Path:
    return _folder("TRANSPARENT_BACKGROUND_FILE_PATH", "~") / ".transparent-background"


def _folder(variable: str, otherwise: str) -> Path:
    return Path(os.environ.get(variable) or otherwise).expanduser()
