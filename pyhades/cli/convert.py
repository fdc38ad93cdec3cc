"""``pyhades convert``."""

from __future__ import annotations

import click

from pyhades.cli.options import engine_options
from pyhades.llm.models import open_checkpoint
from pyhades.llm.precision.convert import convert
from pyhades.llm.precision.loading import report_of
from pyhades.llm.precision.recipe import DEFAULT_PRECISION, PRECISIONS
from pyhades.options import EngineOptions


@click.command("convert")
@click.argument("source", metavar="SRC")
@click.argument("target", metavar="DST")
@engine_options(PRECISIONS, names=["precision"], precision=DEFAULT_PRECISION)
@click.option("--error-budget", type=float, help="For --precision auto; by default 0.05.")
@click.option("--overwrite", is_flag=True, help="Replace DST if it exists.")
@click.option("-q", "--quiet", is_flag=True, help="No progress bar.")
def command(
    source: str,
    target: str,
    options: EngineOptions,
    error_budget: float | None,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Pack the checkpoint SRC of a language model into the file DST, which loads by mapping it.

    SRC is a folder or file of safetensors, OpenAI's original folder, or a GGUF file. DST appears
    only when it is complete.
    """
    path = convert(
        source, target, options.precision, error_budget=error_budget, overwrite=overwrite,
        progress=not quiet,
    )  # fmt: skip
    report = report_of(open_checkpoint(path))
    if report is not None:
        click.echo(report)
    click.echo(f"{path}: {path.stat().st_size / 1e9:.2f} GB, {options.precision}")
