"""A single image: a file or a pipe in, a file or a pipe out."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from pyhades.cli.remove_options import STANDARD, Request
from pyhades.cli.targets import check_apart, write_atomically
from pyhades.errors import ArgumentError
from pyhades.segmentation.bulk.beginning import rendering_of
from pyhades.segmentation.bulk.sources.naming import ARCHIVE_SUFFIXES, TABLE_SUFFIXES
from pyhades.segmentation.bulk.sources.urls import is_url
from pyhades.segmentation.cutout import FILE_FORMATS
from pyhades.segmentation.image.reading import load_image
from pyhades.segmentation.remover import Remover


def is_one(request: Request) -> bool:
    """Whether there is one image, and nothing that only runs through many have."""
    if request.streams:
        return True
    if len(request.inputs) != 1 or request.is_bulk or is_url(request.out):
        return False
    (name,) = request.inputs
    is_picture = not name.lower().endswith((*ARCHIVE_SUFFIXES, *TABLE_SUFFIXES))
    return Path(name).is_file() and is_picture


def remove_one(remover: Remover, request: Request) -> int:
    """Cut it out; the exit code."""
    (source,) = request.inputs
    out = _target(source, request)
    suffix = f".{request.suffix}" if out == STANDARD else Path(out).suffix or f".{request.suffix}"
    rendering = rendering_of(request.output, request.background, suffix.lower(), request.png)
    try:
        if out != STANDARD and os.path.lexists(out) and not request.overwrite:
            raise ArgumentError(f"{out} exists; pass --overwrite to replace it")
        data = sys.stdin.buffer.read() if source == STANDARD else Path(source)
        name = "standard input" if source == STANDARD else None
        result = b"".join(rendering.encoded(remover.cut(load_image(data, name=name))))
        _write(out, result)
    except Exception as error:
        click.echo(_described(source, error), err=True)
        if source != STANDARD and out != STANDARD:
            click.echo("0 of 1 images done", err=True)
        return 1
    return 0


def _target(source: str, request: Request) -> str:
    """Where the result goes; ArgumentError where that is an input."""
    out = request.out
    if out == STANDARD:
        return out
    is_folder = Path(out).is_dir() or Path(out).suffix.lower() not in FILE_FORMATS
    if source == STANDARD:
        if Path(out).is_dir():
            raise ArgumentError(f"{out} is a folder; name a file for the result of standard input")
        return out
    target = str(Path(out) / f"{Path(source).stem}.{request.suffix}") if is_folder else out
    if Path(target).exists() and Path(target).samefile(source):
        raise ArgumentError(
            f"{source}: the result would replace the input {target}; choose another output"
        )
    check_apart(target, request.background)
    return target


def _write(out: str, data: bytes) -> None:
    if out == STANDARD:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    else:
        write_atomically(Path(out), data)


def _described(source: str, error: Exception) -> str:
    text = str(error) or type(error).__name__
    return f"error: {text}" if source in text or source == STANDARD else f"error: {source}: {text}"
