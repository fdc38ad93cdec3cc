"""``pyhades bench segmentation`` without pictures: networks alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from pyhades.bench import segmentation as networks
from pyhades.cli.targets import write_atomically
from pyhades.options import EngineOptions


def measure_networks(
    models: tuple[str, ...],
    options: EngineOptions,
    *,
    threads: list[int],
    precision: list[str],
    rivals: tuple[str, ...],
    runs: int,
    tune: bool,
    disturb: bool,
    json_file: str | None,
    **of_pictures: Any,
) -> None:
    """Time networks alone; options of pictures do nothing."""
    if not models:
        raise click.UsageError("Missing option '--model'.")
    if unknown := [name for name in rivals if name not in networks.RIVALS]:
        raise click.UsageError(f"--rival {unknown[0]} needs pictures: DIR or --images")
    heading = f"{'model':<28}{'engine':<20}{'threads':>7}{'median':>10}{'p90':>10}"
    click.echo(f"{heading}  memory  GFLOP/s")
    measured = networks.measure(
        [Path(model) for model in models],
        threads,
        rivals,
        runs=runs,
        isa=options.isa,
        precisions=precision,
        tune=tune,
        disturb=disturb,
        report=_print_network,
    )
    click.echo("  ".join(f"{key}: {value}" for key, value in measured["machine"].items()))
    for line in networks.comparisons(measured["results"]):
        click.echo(line)
    if json_file is not None:
        write_atomically(Path(json_file), (json.dumps(measured, indent=2) + "\n").encode())


def _print_network(row: networks.Measurement | networks.Refusal) -> None:
    subject = f"{row.model:<28}{f'{row.engine} {row.precision}':<20}{row.threads:>7}"
    if isinstance(row, networks.Refusal):
        click.echo(f"{subject}  refused: {row.reason}")
        return
    speed = "     -"
    if row.gflops is not None and row.share_of_peak is not None:
        speed = f"{row.gflops:>6.0f} ({row.share_of_peak:.0%} of peak)"
    click.echo(
        f"{subject}{row.median_ms:>7.1f} ms{row.p90_ms:>7.1f} ms"
        f"{row.peak_rss_mb:>5.0f} MB{speed}{'  disturbed' if row.disturbed else ''}"
    )
