"""``pyhades bench segmentation`` with pictures: everything from a file to a file."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from pyhades.bench.pictures import measuring
from pyhades.bench.pictures.markdown import as_markdown
from pyhades.bench.pictures.plot import check_plotting, plot
from pyhades.bench.pictures.report import Report, Roofs, make_report
from pyhades.bench.pictures.rows import Row
from pyhades.bench.pictures.sets import PictureSet, made_sets
from pyhades.cli.targets import write_atomically
from pyhades.options import EngineOptions


def measure_pictures(
    folders: tuple[Path, ...],
    models: tuple[str, ...],
    options: EngineOptions,
    images: int | None,
    *,
    sizes: list[tuple[int, int]],
    seed: int,
    price: float | None,
    output: Path | None,
    json_file: str | None,
    markdown_file: str | None,
    plot_file: str | None,
    **how: Any,
) -> None:
    """Do everything from a file to a file; exit code 1 where something failed or was refused."""
    if len(models) > 1 or len(how["precision"]) > 1:
        raise click.UsageError("with pictures, one --model of one --precision is measured")
    if how["rivals"] and not models:
        raise click.UsageError("--rival needs --model, a file that it can read")
    if plot_file is not None:
        check_plotting()
    with tempfile.TemporaryDirectory() as folder:
        if images is not None:
            folders = tuple(made_sets(Path(folder) / "pictures", images, sizes, seed))
        task = _task(folders, models, options, output or Path(folder) / "results", **how)
        roofs = Roofs.measure(options.isa)
        measured = measuring.measure(task, _print_pictures)
        report = make_report(task, measured, roofs.better(Roofs.measure(options.isa)), price)
    _tell(report)
    if json_file is not None:
        document = json.dumps(report.to_dict(), indent=2)
        write_atomically(Path(json_file), f"{document}\n".encode())
    if markdown_file is not None:
        write_atomically(Path(markdown_file), as_markdown(report).encode())
    if plot_file is not None:
        plot(report, Path(plot_file))
    if measured.refused or measured.failures:
        click.get_current_context().exit(1)


def _task(
    folders: tuple[Path, ...],
    models: tuple[str, ...],
    options: EngineOptions,
    out: Path,
    *,
    precision: list[str],
    rivals: tuple[str, ...],
    workers: list[int],
    threads_per_worker: int,
    seconds: float,
    stretches: int,
    cold: bool,
    **of_networks: Any,
) -> measuring.Task:
    return measuring.Task(
        sets=tuple(PictureSet.of(folder) for folder in folders),
        out=out,
        model=models[0] if models else None,
        precision=precision[0],
        isa=options.isa,
        workers=tuple(dict.fromkeys(workers)),
        threads=threads_per_worker,
        rivals=rivals,
        seconds=seconds,
        stretches=stretches,
        caches=("warm", "cold") if cold else ("warm",),
    )


def _print_pictures(row: Row | measuring.Refusal) -> None:
    subject = f"{row.set or 'all':<14}{row.engine:<13}{row.workers:>3} workers"
    if isinstance(row, measuring.Refusal):
        tqdm.write(f"{subject}  refused: {row.reason}")
        return
    tqdm.write(
        f"{subject}  {row.cache}{row.images_s:>9.3f}/s  {row.efficiency:>6.1%} efficient  "
        f"p50 {row.latency_ms['p50']:.1f} ms  p99 {row.latency_ms['p99']:.1f} ms  "
        f"CPU {row.cpu_utilisation:.0%}"
    )


def _tell(report: Report) -> None:
    """All of it, and what rivals come to in one line each."""
    click.echo(as_markdown(report))
    for line in comparisons(report.measured.rows):
        click.echo(line)


def comparisons(rows: Sequence[Row]) -> list[str]:
    """Ours against each rival with as many workers on the same pictures."""
    lines = []
    for row in rows:
        for ours in rows:
            same = (row.set, row.cache, row.workers) == (ours.set, ours.cache, ours.workers)
            if same and ours.engine == measuring.OURS and row.engine != ours.engine:
                ratio = ours.images_s / row.images_s
                lines.append(
                    f"{row.set}, {row.cache}, {row.workers} workers: {ratio:.3f} x {row.engine}"
                )
    return lines
