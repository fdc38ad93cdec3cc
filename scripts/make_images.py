"""Make a set of pictures to measure with: ``python scripts/make_images.py FOLDER --count 100``.

All are different, like photographs to a codec, and the same for the same seed.
"""

from __future__ import annotations

import re
from pathlib import Path

import click
from tqdm import tqdm

from pyhades.bench.pictures.scenes import SUFFIXES, make_pictures


def parse_size(
    context: click.Context, option: click.Parameter, text: str
) -> tuple[int, int]:  # fmt: skip
    """Read ``"640x480"`` as ``(640, 480)``."""
    found = re.fullmatch(r"(\d+)x(\d+)", text)
    if found is None:
        raise click.BadParameter(f"{text!r} is not a size like 640x480")
    return int(found[1]), int(found[2])


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--count", type=click.IntRange(min=1), default=100, show_default=True)
@click.option("--size", callback=parse_size, default="1000x1000", show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--suffix", type=click.Choice(SUFFIXES), default=".jpg", show_default=True)
@click.option("--processes", type=click.IntRange(min=1), help="By default one per CPU.")
def main(
    folder: Path, count: int, size: tuple[int, int], seed: int, suffix: str, processes: int | None
) -> None:
    """Write COUNT pictures to FOLDER, in folders of a thousand where there are more."""
    with tqdm(total=count, unit="picture", disable=None) as bar:  # None: where it is no terminal
        make_pictures(
            folder, count, size, seed=seed, suffix=suffix, processes=processes,
            report=lambda path: bar.update(),
        )  # fmt: skip


if __name__ == "__main__":
    main()
