"""Make the pictures of ``pyhades demo``: ``python -m training.samples --out DIR``.

They are scenes like those of the training, at another size and from seeds of their own.
"""

from __future__ import annotations

from pathlib import Path

import click
from PIL import Image

from training import creatures, objects, people
from training.pool import HELD_OUT
from training.scenes import Painter, compose

SIZE = (480, 640)  # height, width
_FIRST = HELD_OUT + 1_000_000  # a range of its own; chosen from it for a clear subject
SAMPLES: tuple[tuple[str, Painter, int], ...] = (
    ("portrait", people.portrait, _FIRST + 7),
    ("pet", creatures.pet, _FIRST + 23),
    ("mug", objects.mug, _FIRST + 26),
)


@click.command()
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True)
def main(out: Path) -> None:
    """Write the sample pictures as JPEG files to --out."""
    out.mkdir(parents=True, exist_ok=True)
    for name, painter, seed in SAMPLES:
        path = out / f"{name}.jpg"
        Image.fromarray(compose(seed, SIZE, painter).image).save(path, quality=85, optimize=True)
        click.echo(f"{path}: {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
