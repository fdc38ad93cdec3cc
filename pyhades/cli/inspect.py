"""``pyhades inspect``."""

from __future__ import annotations

import json

import click

from pyhades.cli.model import PreparedModel, model_argument, model_options
from pyhades.segmentation.inspection import inspect


@click.command("inspect")
@model_argument
@model_options
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def command(model: str, prepared: PreparedModel, as_json: bool) -> None:
    """Tell what a model is: inputs, outputs, operators, kernels, work, weights, and the guess.

    MODEL is an ONNX file or the name of a model, see 'pyhades models list'. Nothing is run.
    """
    found = inspect(model, options=prepared.options, **prepared.how)
    click.echo(json.dumps(found.to_dict(), indent=2) if as_json else str(found))
