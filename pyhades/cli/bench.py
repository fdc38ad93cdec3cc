"""``pyhades bench``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from pyhades.bench.segmentation import Measurement, comparisons, measure
from pyhades.cli.targets import write_atomically


def parse_threads(context: click.Context, option: click.Parameter, text: str) -> list[int]:
    """Read ``"1,2"`` as ``[1, 2]``."""
    counts = [part.strip() for part in text.split(",")]
    if not all(count.isdecimal() and int(count) > 0 for count in counts):
        raise click.BadParameter(f"{text!r} is not a list of thread counts like 1,2")
    return [int(count) for count in counts]


@click.group("bench")
def command() -> None:
    """Measure pyhades, alone or against a rival."""


@command.command("segmentation")
@click.option("--model", "models", multiple=True, required=True, help="ONNX file; repeatable.")
@click.option("--threads", default="1", show_default=True, callback=parse_threads)
@click.option("--rival", type=click.Choice(["onnxruntime"]), help="Runs in turn with us.")
@click.option("--runs", type=click.IntRange(min=1), default=15, show_default=True)
@click.option("--isa", help="Instruction set tier of ours.")
@click.option("--precision", default="fp32", show_default=True, help="Of ours.")
@click.option("--json", "json_file", metavar="FILE", help="Write the results there.")
def segmentation(
    models: tuple[str, ...],
    threads: list[int],
    rival: str | None,
    runs: int,
    isa: str | None,
    precision: str,
    json_file: str | None,
) -> None:
    """Time networks and measure their memory, each engine in a process of its own."""
    heading = f"{'model':<28}{'engine':<14}{'threads':>7}{'median':>10}{'p90':>10}"
    click.echo(f"{heading}  memory  GFLOP/s")
    measured = measure(
        [Path(model) for model in models],
        threads,
        rival,
        runs=runs,
        isa=isa,
        precision=precision,
        report=_print_row,
    )
    click.echo("  ".join(f"{key}: {value}" for key, value in measured["machine"].items()))
    for line in comparisons(measured["results"]):
        click.echo(line)
    if json_file is not None:
        write_atomically(Path(json_file), (json.dumps(measured, indent=2) + "\n").encode())


def _print_row(row: Measurement) -> None:
    click.echo(
        f"{row.model:<28}{row.engine:<14}{row.threads:>7}"
        f"{row.median_ms:>7.1f} ms{row.p90_ms:>7.1f} ms"
        f"{row.peak_rss_mb:>5.0f} MB{row.gflops:>6.0f} ({row.share_of_peak:.0%} of peak)"
    )
