"""``pyhades demo``."""

from __future__ import annotations

from pathlib import Path

import click

from pyhades.cli.remove import make_remover, model_options
from pyhades.cli.targets import write_atomically
from pyhades.errors import ConfigurationError
from pyhades.segmentation.remover import DEFAULT_MODEL

SAMPLES = DEFAULT_MODEL.parent


@click.command("demo")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    default=Path("pyhades-demo"),
    show_default=True,
    help="Folder for the results.",
)
@model_options
def command(
    out: Path, model: str | None, manifest: str | None, precision: str, threads: int | None,
    isa: str | None,
) -> None:  # fmt: skip
    """Remove the background of the images that ship with pyhades and say where the results are."""
    samples = sorted(SAMPLES.glob("*.jpg"))
    if not samples:
        raise ConfigurationError(f"no sample images in {SAMPLES}; reinstall the package")
    with make_remover(model, manifest, precision, threads, isa) as remover:
        for sample in samples:
            cutout = remover.cut(sample)
            for name, data in (
                (f"{sample.stem}.png", cutout.encode()),
                (f"{sample.stem}-mask.png", cutout.encode("mask")),
            ):
                write_atomically(out / name, data)
                click.echo(out / name)
    click.echo(f"{2 * len(samples)} files written to {out.absolute()}")
