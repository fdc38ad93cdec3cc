"""Throughput, waiting and stages, drawn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pyhades.bench.pictures.measuring import OURS
from pyhades.bench.pictures.report import Report
from pyhades.bench.pictures.rows import Row
from pyhades.errors import ConfigurationError


def check_plotting() -> None:
    """Refuse before anything is measured where nothing can be drawn.

    Raises
    ------
    ConfigurationError
        matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise ConfigurationError("--plot needs matplotlib: pip install matplotlib") from None


def plot(report: Report, path: Path) -> None:
    """Draw a row for each set: pictures per second and times by workers, shares of stages.

    Parameters
    ----------
    report
        Rows with files in memory are drawn, or those that there are.
    path
        Where the picture goes; its suffix chooses the format.
    """
    check_plotting()
    from matplotlib.figure import Figure

    cache = report.task.caches[0]
    rows = [row for row in report.measured.rows if row.cache == cache]
    names = list(dict.fromkeys(row.set for row in rows))
    figure = Figure(figsize=(12, 3.4 * max(1, len(names))), layout="constrained")
    grid = figure.subplots(max(1, len(names)), 3, squeeze=False)
    for name, (speed, wait, stages) in zip(names, grid, strict=True):
        mine = [row for row in rows if row.set == name]
        _draw_by_workers(speed, wait, mine)
        _draw_stages(stages, [row for row in mine if row.engine == OURS])
        speed.set_title(f"{name}: pictures/s")
        wait.set_title(f"{name}: ms of a picture")
        stages.set_title(f"{name}: shares of stages, {OURS}")
    machine = report.machine
    figure.suptitle(f"{machine['model']}, {machine['cpu']}, {machine['tier']}", fontsize=9)
    figure.savefig(path, dpi=120)


def _draw_by_workers(speed: Any, wait: Any, rows: Sequence[Row]) -> None:
    for engine in dict.fromkeys(row.engine for row in rows):
        mine = [row for row in rows if row.engine == engine]
        workers = [row.workers for row in mine]
        (curve,) = speed.plot(workers, [row.images_s for row in mine], marker="o", label=engine)
        for name, style in (("p50", "-"), ("p99", ":")):
            wait.plot(
                workers, [row.latency_ms[name] for row in mine], style, marker="o",
                color=curve.get_color(), label=f"{engine}, {name}",
            )  # fmt: skip
    ticks = sorted({row.workers for row in rows})
    for axes in (speed, wait):
        axes.set_xscale("log", base=2)
        axes.set_xticks(ticks, [str(tick) for tick in ticks])
        axes.set(xlabel="workers")
        axes.set_ylim(bottom=0)
        axes.legend()


def _draw_stages(axes: Any, rows: Sequence[Row]) -> None:
    bottom = [0.0] * len(rows)
    labels = [str(row.workers) for row in rows]
    for name in dict.fromkeys(name for row in rows for name in row.stages_ms):
        shares = [row.stages_ms.get(name, {}).get("share", 0.0) for row in rows]
        axes.bar(labels, shares, bottom=bottom, label=name)
        bottom = [below + share for below, share in zip(bottom, shares, strict=True)]
    axes.set(xlabel="workers", ylim=(0, 1))
    axes.legend(fontsize=7)
