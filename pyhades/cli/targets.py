"""Which file becomes which: decided for all inputs before the first is touched."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pyhades.errors import ArgumentError
from pyhades.segmentation.cutout import FILE_FORMATS

INPUT_SUFFIXES = {
    *(".jpg", ".jpeg", ".jpe", ".mpo", ".png", ".webp", ".tif", ".tiff"),
    *(".bmp", ".gif", ".avif", ".ppm", ".pgm"),
}


@dataclass(frozen=True)
class Job:
    """One image to read and one file to write."""

    source: Path
    target: Path


def plan_jobs(inputs: list[Path], out: Path, *, recursive: bool, suffix: str) -> list[Job]:
    """Pair every image in ``inputs`` with a file under ``out``.

    A folder's tree is mirrored. ``out`` is a file only for a single input file. Two inputs of one
    folder that differ in their suffix only (``x.jpg``, ``x.png``) keep it (``x.jpg.png``).

    Raises
    ------
    ArgumentError
        An input does not exist or holds no images, two inputs want the same file, or an output
        would be an input.
    """
    found: list[tuple[Path, Path]] = []
    for path in inputs:
        if path.is_dir():
            members = sorted(_images_in(path, recursive, out))
            if not members:
                known = " ".join(sorted(INPUT_SUFFIXES))
                raise ArgumentError(f"{path}: no images in this folder ({known})")
            found += [(member, out / member.relative_to(path)) for member in members]
        elif path.exists():
            found.append((path, out / path.name))
        else:
            raise ArgumentError(f"{path}: there is no such file or folder")
    if _is_file_target(inputs, out):
        jobs = [Job(inputs[0], out)]
    else:
        stems = Counter(target.with_suffix("") for _, target in found)
        jobs = [
            Job(source, target.with_name((target.name if stems[base] > 1 else base.name) + suffix))
            for source, target in found
            for base in [target.with_suffix("")]
        ]
    _check(jobs)
    return jobs


def check_apart(target: str | Path | None, *inputs: str | Path | None) -> None:
    """ArgumentError where a file to write is one of those that are read, by whatever name."""
    if target is None or not Path(target).is_file():
        return
    for path in inputs:
        if path is not None and Path(path).exists() and Path(target).samefile(path):
            raise ArgumentError(
                f"{target}: the result would replace {path}, which is read; choose another output"
            )


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that nobody ever sees half of it, and a kill leaves no half of it behind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        # mkstemp makes private files; the result gets the rights of any other new file.
        umask = os.umask(0)
        os.umask(umask)
        part.chmod(0o666 & ~umask)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _images_in(folder: Path, recursive: bool, out: Path) -> Iterator[Path]:
    excluded = out.resolve()
    for path in folder.rglob("*") if recursive else folder.iterdir():
        if path.suffix.lower() not in INPUT_SUFFIXES or not path.is_file():
            continue
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        # Results of an earlier run in a folder below are not inputs.
        inside = excluded != folder.resolve() and excluded in path.resolve().parents
        if not hidden and not inside:
            yield path


def _is_file_target(inputs: list[Path], out: Path) -> bool:
    single_file = len(inputs) == 1 and not inputs[0].is_dir()
    return single_file and not out.is_dir() and out.suffix.lower() in FILE_FORMATS


def _check(jobs: list[Job]) -> None:
    sources = {job.source.resolve(): job.source for job in jobs}
    taken: dict[Path, Path] = {}
    for job in jobs:
        target = job.target.resolve()
        if target in sources:
            raise ArgumentError(
                f"{job.source}: the result would replace the input {sources[target]}; "
                "choose another output"
            )
        if target in taken:
            raise ArgumentError(f"{taken[target]} and {job.source} would both become {job.target}")
        taken[target] = job.source
