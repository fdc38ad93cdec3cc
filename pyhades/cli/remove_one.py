"""A single image: a file or a pipe in, a file or a pipe out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pyhades.cli.remove_options import Request
from pyhades.cli.remove_out import named_folder, names_picture
from pyhades.cli.remove_progress import tell
from pyhades.cli.streams import (
    STANDARD,
    is_device,
    read_standard_input,
    write_device,
    write_standard_output,
)
from pyhades.cli.targets import check_apart
from pyhades.errors import ArgumentError, ConfigurationError
from pyhades.segmentation.bulk.beginning import rendering_of
from pyhades.segmentation.bulk.books import reason_of
from pyhades.segmentation.bulk.chain import Rendering, render
from pyhades.segmentation.bulk.sinks.files import FileSink
from pyhades.segmentation.bulk.sources.naming import (
    ARCHIVE_SUFFIXES,
    TABLE_SUFFIXES,
    result_of,
)
from pyhades.segmentation.bulk.sources.urls import is_url, reach
from pyhades.segmentation.remover import Remover


@dataclass(frozen=True)
class One:
    """One image, where its result goes, and what is made of it.

    Attributes
    ----------
    source
        A path, a URL, or ``-``.
    out
        A file, a pipe or a device, or ``-``.
    rendering
        What is made of it.
    """

    source: str
    out: str
    rendering: Rendering

    @classmethod
    def of(cls, request: Request) -> One:
        """What is asked for.

        Raises
        ------
        ArgumentError
            The result cannot be what it is called, or would replace an input.
        """
        (source,) = request.inputs
        out = _target(source, request)
        suffix = request.suffix_of(out)
        rendering = rendering_of(
            request.output, request.background, suffix, request.writing,
            first_frame=request.first_frame, finish=request.finish,
        )  # fmt: skip
        return cls(source, out, rendering)

    @property
    def is_file(self) -> bool:
        """Whether the result is a file of its own."""
        return self.out != STANDARD and not is_device(self.out)


def is_one(request: Request) -> bool:
    """Whether there is one image, and nothing that only runs through many have."""
    if request.streams:
        return True
    if len(request.inputs) != 1 or request.is_bulk or is_url(request.out):
        return False
    (name,) = request.inputs
    if is_url(name):
        return names_picture(request.out)
    is_picture = not name.lower().endswith((*ARCHIVE_SUFFIXES, *TABLE_SUFFIXES))
    return Path(name).exists() and not Path(name).is_dir() and is_picture


def remove_one(remover: Remover, request: Request, one: One) -> int:
    """Cut it out; the exit code."""
    try:
        if one.is_file and os.path.lexists(one.out) and not request.overwrite:
            return _exists(one, skip=request.skip_existing)
        data, name = _read(one.source), _name(one.source)
        _write(one, request, render(remover, data, one.rendering, name=name).parts)
    except (ArgumentError, ConfigurationError):
        raise
    except FileExistsError as error:
        return _failed(one, f"{error.filename or one.out} exists; pass --overwrite to replace it")
    except Exception as error:
        return _failed(one, reason_of(error, one.source))
    return 0


def _exists(one: One, *, skip: bool) -> int:
    if not skip or not Path(one.out).is_file():
        return _failed(one, f"{one.out} exists; pass --overwrite to replace it")
    tell(f"{one.out} exists, and is as it was")
    return 0


def _failed(one: One, reason: str) -> int:
    knows = one.source in reason or one.source == STANDARD
    tell(f"error: {reason}" if knows else f"error: {one.source}: {reason}")
    if one.source != STANDARD and one.is_file:
        tell("0 of 1 images done")
    return 1


def _name(source: str) -> str:
    return "standard input" if source == STANDARD else source


def _read(source: str) -> bytes | Path:
    if source == STANDARD:
        return read_standard_input()
    if is_url(source):
        files, place = reach(source)
        return bytes(files.cat_file(place))
    path = Path(source)
    return path if path.is_file() else path.read_bytes()  # a pipe has no size


def _target(source: str, request: Request) -> str:
    """Where the result goes; ArgumentError where that is an input."""
    out = request.out
    if out == STANDARD or is_device(out):
        return out
    folder = named_folder(out)
    if source == STANDARD:
        if folder:
            raise ArgumentError(f"{out} is a folder; name a file for the result of standard input")
        return out
    target = out
    if not names_picture(out):
        name = result_of(Path(source).name, f".{request.suffix}", request.name_pattern)
        target = str(Path(out) / name)
    if not is_url(source) and Path(target).exists() and Path(target).samefile(source):
        raise ArgumentError(
            f"{source}: the result would replace the input {target}; choose another output"
        )
    check_apart(target, request.background)
    return target


def _write(one: One, request: Request, pieces: Sequence[bytes]) -> None:
    if one.out == STANDARD:
        write_standard_output(pieces)
    elif is_device(one.out):
        write_device(one.out, pieces)
    else:
        path = Path(one.out)
        FileSink(path.parent, request.fsync).write(path.name, pieces, replace=request.overwrite)
