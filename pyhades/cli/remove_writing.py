"""Options of how results are written."""

from __future__ import annotations

from typing import Any

import click

from pyhades.cli.options import together
from pyhades.segmentation.image.write import FORMATS, WriteOptions

NAMES = [kind.suffixes[0][1:] for kind in FORMATS]

writing_options = together(
    click.option(
        "--format", "suffix", default="png", show_default=True, type=click.Choice(NAMES),
        help="Of files in an output folder.",
    ),
    click.option(
        "--png", default="fast", show_default=True,
        type=click.Choice(["fast", "balanced", "small"]), help="Speed against size.",
    ),
    click.option(
        "--quality", type=click.IntRange(1, 100),
        help="Of JPEG, WebP, AVIF and HEIC; WebP loses nothing unless one is given.",
    ),
    click.option(
        "--lossless/--lossy", default=None, help="Of WebP; default: what --quality says."
    ),
    click.option(
        "--bits", type=click.Choice(["8", "16"]), default="8", show_default=True,
        help="A channel, of PNG and TIFF.",
    ),
    click.option(
        "--strip", is_flag=True,
        help="Leave out metadata: EXIF and XMP, with camera, time and place.",
    ),
    click.option(
        "--first-frame", is_flag=True,
        help="Of animations and of files with pages take the first alone; default: all of them.",
    ),
)  # fmt: skip
"""Of commands that write pictures."""


def writing_of(given: dict[str, Any]) -> WriteOptions:
    """How to write, taken out of what was given."""
    return WriteOptions(
        png=given.pop("png"),
        quality=given.pop("quality"),
        lossless=given.pop("lossless"),
        bits=16 if given.pop("bits") == "16" else 8,
        strip=given.pop("strip"),
    )
