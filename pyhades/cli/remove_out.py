"""What ``--out`` names: a file for one picture, or a folder for many."""

from __future__ import annotations

import os
import re
from pathlib import Path

import click
from PIL import Image

from pyhades.cli.streams import STANDARD, check_standard_output, is_device
from pyhades.segmentation.bulk.sources.naming import ARCHIVE_SUFFIXES, TABLE_SUFFIXES
from pyhades.segmentation.bulk.sources.urls import is_url
from pyhades.segmentation.image.write import FILE_FORMATS

_CONTAINERS = (*ARCHIVE_SUFFIXES, *TABLE_SUFFIXES, ".zip", ".7z", ".rar")
_ELSEWHERE = {".heic", ".heif", ".jxl", ".svg", ".raw", ".mp4", ".mov", ".webm", ".mkv", ".avi"}
"""Suffixes of pictures that Pillow does not know."""


def named_folder(out: str) -> bool:
    """Whether it is a folder, or is called one."""
    return out.endswith("/") or Path(out).is_dir()


def names_picture(out: str) -> bool:
    """Whether it is the name of a picture's file, whether that can be written or not."""
    suffix = Path(out).suffix.lower()
    known = suffix in FILE_FORMATS or suffix in _ELSEWHERE
    return not named_folder(out) and (known or suffix in Image.registered_extensions())


def _names_container(out: str) -> bool:
    return out.lower().endswith(_CONTAINERS) and not named_folder(out)


def check_out(out: str, *, is_single: bool, why_many: str, suffix: str | None) -> None:
    """Refuse what is neither the file nor the folder that somebody wants.

    Parameters
    ----------
    out
        What was given.
    is_single
        Whether there is one picture.
    why_many
        Why a file is not enough.
    suffix
        Of ``--format``; None where it was not given.

    Raises
    ------
    click.UsageError
        It says why, and what to give instead.
    """
    if out == STANDARD:
        check_standard_output()
        return
    if Path(out).name.lower() in FILE_FORMATS and not named_folder(out):
        raise click.UsageError(f"{out} is a suffix without a name; is a variable not set?")
    if out.startswith("~") and not os.path.lexists(out.partition("/")[0]):
        raise click.UsageError(
            f"{out} begins with ~, which no shell has replaced by the home folder; write $HOME, or "
            f"./{out} for a folder of that name"
        )
    if is_single:
        _check_file(out, suffix)
    elif is_url(out):
        if names_picture(out):
            raise click.UsageError(f"{out} names a file; at a URL, name a folder for results")
    elif is_device(out):
        raise click.UsageError(f"{out} takes a single picture, but {why_many}; name a folder")
    elif names_picture(out) or _names_container(out):
        raise click.UsageError(
            f"{out} names a file, but {why_many}; name a folder, or {out}/ for one of that name"
        )


def _check_file(out: str, suffix: str | None) -> None:
    given = Path(out).suffix.lower()
    if is_device(out) or named_folder(out):
        return
    if given not in FILE_FORMATS:
        if os.path.lexists(out) and not names_picture(out):
            raise click.UsageError(f"{out} is a file, and its name is not that of a picture")
        if names_picture(out) or _looks_like_a_suffix(given):
            known = ", ".join(FILE_FORMATS)
            raise click.UsageError(
                f"{out}: {given} files cannot be written; choose one of {known}, or write {out}/ "
                "for a folder of that name"
            )
    elif suffix is not None and FILE_FORMATS[given] != FILE_FORMATS[f".{suffix}"]:
        raise click.UsageError(f"{out} is to be {given[1:]}, and --format says {suffix}")


def _looks_like_a_suffix(suffix: str) -> bool:
    """Not of a version, such as in ``cutouts-1.2``."""
    return re.fullmatch(r"\.[a-z]\w{1,4}", suffix) is not None
