"""``pyhades inspect``."""

from __future__ import annotations

import json

import click

from pyhades.cli.model import PreparedModel, model_argument, model_options
from pyhades.llm.checkpoint.locating import holds_weights
from pyhades.llm.precision.listing import CheckpointListing, list_tensors
from pyhades.segmentation.inspection import Inspection, inspect


@click.command("inspect")
@model_argument
@model_options
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def command(model: str, prepared: PreparedModel, as_json: bool) -> None:
    """Tell what a model is: inputs, outputs, operators, kernels, work, weights, and the guess.

    MODEL is an ONNX file or the name of a model, see 'pyhades models list'; or a checkpoint of a
    language model, of which is told how tensors are stored and what becomes of them in every
    precision. Nothing is run.
    """
    found: Inspection | CheckpointListing
    if holds_weights(model):
        if prepared.how != {"profile": "reference"}:
            raise click.UsageError(
                f"{model} is a language model; --manifest, --set and --profile are for networks"
            )
        found = list_tensors(model)
    else:
        found = inspect(model, options=prepared.options, **prepared.how)
    click.echo(json.dumps(found.to_dict(), indent=2) if as_json else str(found))
