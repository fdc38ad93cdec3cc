"""``pyhades verify``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
from tqdm import tqdm

from pyhades.cli.model import PreparedModel, model_argument, model_options
from pyhades.cli.options import Number
from pyhades.segmentation.verification import verify
from pyhades.segmentation.verification.fidelity import LEVEL
from pyhades.segmentation.verification.verify import pictures_in

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command("verify")
@model_argument
@click.option("--images", type=FOLDER, help="Pictures; by default those that ship with pyhades.")
@click.option("--masks", type=FOLDER, help="Drawn masks with the names of the pictures.")
@click.option(
    "--tolerance", type=Number(min=0), default=LEVEL, show_default="1/255",
    help="Largest difference that is allowed, of 1.",
)  # fmt: skip
@model_options
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="No progress bar.")
@click.pass_context
def command(
    ctx: click.Context, /, model: str, images: Path | None, masks: Path | None, tolerance: float,
    prepared: PreparedModel, as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """Compare a model on pyhades with the same model on onnxruntime.

    MODEL is an ONNX file or the name of a model. Both engines are fed the same tensor. With masks
    that people drew, the measures of salient object detection of both. Exit code 1 where they
    disagree.
    """
    if masks is not None and images is None:
        raise click.UsageError("--masks needs the --images that they belong to")
    pictures = None if images is None else pictures_in(images)
    with tqdm(
        total=None if pictures is None else len(pictures), unit="image", leave=False,
        disable=True if quiet else None, file=sys.stderr,
    ) as progress:  # fmt: skip
        found = verify(
            model, pictures, masks, tolerance=tolerance, report=lambda name: progress.update(),
            options=prepared.options, **prepared.how,
        )  # fmt: skip
    click.echo(json.dumps(found.to_dict(), indent=2) if as_json else str(found))
    ctx.exit(0 if found.agrees else 1)
