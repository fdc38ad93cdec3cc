"""``pyhades quantize``."""

from __future__ import annotations

import functools
import json
import sys
from pathlib import Path
from typing import get_args

import click
from tqdm import tqdm

from pyhades.cli.model import PreparedModel, model_argument, model_options
from pyhades.segmentation.quantize import Recipe, quantize
from pyhades.segmentation.quantize.face import DEFAULT_BUDGET
from pyhades.segmentation.quantize.recipe import Clipping, Equalisation, Rounding

CLIPPINGS, ROUNDINGS = get_args(Clipping), get_args(Rounding)
EQUALISATIONS = get_args(Equalisation)
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command("quantize")
@model_argument
@click.option(
    "--images", type=FOLDER,
    help="Pictures like those to come, 100 to 300; default: some that ship and that code makes.",
)  # fmt: skip
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True,
    help="ONNX file to write.",
)  # fmt: skip
@click.option(
    "--budget", default=DEFAULT_BUDGET, show_default=True, metavar="LIMITS",
    help="What masks may differ by: mae, band (at most), iou (at least); mae=.002,iou=.997, say.",
)  # fmt: skip
@click.option(
    "--activations", type=click.Choice(CLIPPINGS), default=Recipe.activations, show_default=True,
    help="What ends the grids of activations.",
)  # fmt: skip
@click.option(
    "--weights", type=click.Choice(CLIPPINGS), default=Recipe.weights, show_default=True,
    help="What ends the grids of weights.",
)  # fmt: skip
@click.option(
    "--rounding", type=click.Choice(ROUNDINGS), default=Recipe.rounding, show_default=True,
    help="Of weights: learned for what they read, or to the nearest.",
)  # fmt: skip
@click.option(
    "--equalisation", type=click.Choice(EQUALISATIONS), default=Recipe.equalisation,
    show_default=True, help="Where loud channels are scaled down as they are made.",
)  # fmt: skip
@click.option(
    "--pieces/--no-pieces", default=Recipe.pieces, show_default=True,
    help="Whether channels far louder than others are made in pieces, for a finer grid.",
)  # fmt: skip
@click.option(
    "--bias-correction/--no-bias-correction", default=Recipe.bias_correction, show_default=True,
    help="Whether biases make up for rounded weights.",
)  # fmt: skip
@click.option("--force", is_flag=True, help="Write the file also where the budget does not hold.")
@functools.partial(model_options, engine=("threads", "isa"))
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="No progress bar.")
def command(
    model: str, images: Path | None, output: Path, budget: str, activations: Clipping,
    weights: Clipping, rounding: Rounding, equalisation: Equalisation, pieces: bool,
    bias_correction: bool, force: bool, prepared: PreparedModel, as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """Quantise a float model to int8 and write it as an ONNX file.

    MODEL is an ONNX file or the name of a model. Ranges are found on four fifths of the pictures;
    the masks of the others say what was lost, and products go back to float until the budget holds.
    Where it cannot hold, nothing is written and the exit code is 2. Interrupted, the same command
    goes on where it was.
    """
    recipe = Recipe(
        activations, weights, rounding=rounding, equalisation=equalisation, pieces=pieces,
        bias_correction=bias_correction,
    )  # fmt: skip
    with tqdm(disable=True if quiet else None, file=sys.stderr, leave=False) as bar:

        def step(what: str, done: int, total: int) -> None:
            bar.set_description(what, refresh=False)
            bar.total, bar.n = total, done
            bar.refresh()

        result = quantize(
            model, images, output, budget=budget, recipe=recipe, force=force, step=step,
            options=prepared.options, **prepared.how,
        )  # fmt: skip
    click.echo(json.dumps(result.to_dict(), indent=2) if as_json else str(result))
    if not as_json:
        click.echo(f"written to {output}")
