"""Make many pictures of few: ``python scripts/duplicate_images.py PHOTOS FOLDER --count 38418``.

Names are distinct. With ``--distinct`` the files are, too: a comment in a JPEG or PNG file, which
no decoder looks at, says which copy it is; so nothing that remembers content finds it again.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import click
from tqdm import tqdm

from pyhades.bench.pictures.scenes import PER_FOLDER
from pyhades.bench.pictures.sets import pictures_in
from pyhades.errors import ArgumentError

PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8"
PNG_HEADER = 33
"""Bytes before the second chunk of a PNG file."""


def marked(data: bytes, number: int) -> bytes:
    """A JPEG or PNG file with a number inside, in a comment.

    Raises
    ------
    ArgumentError
        It is a file of another kind.
    """
    comment = b"copy\0%d" % number
    if data.startswith(JPEG):
        return JPEG + b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment + data[2:]
    if data.startswith(PNG):
        chunk = b"tEXt" + comment
        framed = struct.pack(">I", len(comment)) + chunk + struct.pack(">I", zlib.crc32(chunk))
        return data[:PNG_HEADER] + framed + data[PNG_HEADER:]
    raise ArgumentError("--distinct marks JPEG and PNG files")


def targets(sources: Sequence[Path], folder: Path, count: int) -> list[tuple[Path, Path]]:
    """From which file to which, all in turn."""
    digits = len(str(count - 1))
    return [
        (source, folder / f"{number // PER_FOLDER:03d}" / f"{source.stem}-{number:0{digits}d}"
         f"{source.suffix}")
        for number in range(count)
        for source in [sources[number % len(sources)]]
    ]  # fmt: skip


@click.command()
@click.argument("photos", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--count", type=click.IntRange(min=1), required=True)
@click.option("--distinct", is_flag=True, help="Files differ in a comment, not only in names.")
@click.option("--link", is_flag=True, help="Hard links, which take no room.")
def main(photos: Path, folder: Path, count: int, distinct: bool, link: bool) -> None:
    """Multiply the pictures of PHOTOS to COUNT files in FOLDER."""
    if distinct and link:
        raise click.UsageError("--link makes files that are the same: not with --distinct")
    pairs = tqdm(targets(pictures_in(photos), folder, count), disable=None)
    for number, (source, target) in enumerate(pairs):
        target.parent.mkdir(parents=True, exist_ok=True)
        if link:
            os.link(source, target)
            continue
        data = source.read_bytes()
        try:
            target.write_bytes(marked(data, number) if distinct else data)
        except ArgumentError as error:
            raise click.UsageError(f"{source}: {error}") from error


if __name__ == "__main__":
    main()
