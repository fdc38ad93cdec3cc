"""Speed and latency over the number of clients, drawn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pyhades.bench.serve.findings import Row
from pyhades.bench.serve.scenarios.throughput import Throughput
from pyhades.errors import ConfigurationError


def plot(rows: Sequence[Row], machine: dict[str, Any], path: Path) -> None:
    """Draw tokens per second and the time between tokens, one line per engine.

    Parameters
    ----------
    rows
        Those of throughput by clients are drawn.
    machine
        What they were measured on.
    path
        Where the picture goes; its suffix chooses the format.

    Raises
    ------
    ConfigurationError
        matplotlib is not installed, or there is nothing to draw.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ConfigurationError("--plot needs matplotlib: pip install matplotlib") from None
    drawn = [row for row in rows if isinstance(row, Throughput) and row.clients is not None]
    if not drawn:
        raise ConfigurationError("--plot draws throughput by --clients: there is none")
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    speed, wait = figure.subplots(1, 2)
    for engine in dict.fromkeys(row.engine for row in drawn):
        mine = [row for row in drawn if row.engine == engine]
        clients = [row.clients for row in mine]
        (curve,) = speed.plot(clients, [row.tok_s for row in mine], marker="o", label=engine)
        told = [row for row in mine if row.itl_ms is not None]
        for name, style in (("p50", "-"), ("p99", ":")):
            wait.plot(
                [row.clients for row in told], [getattr(row.itl_ms, name) for row in told], style,
                marker="o", color=curve.get_color(), label=f"{engine}, {name}",
            )  # fmt: skip
    speed.set(title="all answers together", ylabel="tokens/s")
    wait.set(title="between tokens of an answer", ylabel="ms")
    for axes in (speed, wait):
        axes.set_xscale("log", base=2)
        ticks = sorted({row.clients for row in drawn if row.clients is not None})
        axes.set_xticks(ticks, [str(tick) for tick in ticks])
        axes.set(xlabel="clients")
        axes.set_ylim(bottom=0)
        axes.legend()
    figure.suptitle(f"{machine['model']}, {machine['cpu']}, {machine['tier']}", fontsize=9)
    figure.savefig(path, dpi=120)
