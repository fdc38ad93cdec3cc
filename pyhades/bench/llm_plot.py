"""Speed of a language model over depth, drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pyhades.errors import ConfigurationError


def plot(measured: dict[str, Any], path: Path) -> None:
    """Draw decoding and reading over depth, one line per engine and number of threads.

    Parameters
    ----------
    measured
        From :func:`pyhades.bench.llm.measure`.
    path
        Where the picture goes; its suffix chooses the format.

    Raises
    ------
    ConfigurationError
        matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ConfigurationError("--plot needs matplotlib: pip install matplotlib") from None
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    decoding, reading = figure.subplots(1, 2)
    for workload, axes, x, y, label in (
        ("decode", decoding, "depth", "decode_tok_s", "tokens in the cache"),
        ("prefill", reading, "prefill_tokens", "prefill_tok_s", "tokens of the prompt"),
    ):
        rows = [row for row in measured["results"] if row["workload"] == workload]
        for engine, threads in sorted({(row["engine"], row["threads"]) for row in rows}):
            mine = [row for row in rows if (row["engine"], row["threads"]) == (engine, threads)]
            points = [(row[x], row[y]) for row in mine]
            axes.plot(*zip(*points, strict=True), marker="o", label=f"{engine}, {threads} threads")
        axes.margins(y=0.1)
        axes.set(title=workload, xlabel=label, ylabel="tokens/s")
        axes.set_ylim(bottom=0)
        axes.legend()
    machine = measured["machine"]
    figure.suptitle(f"{machine['model']}, {machine['cpu']}, {machine['tier']}", fontsize=9)
    figure.savefig(path, dpi=120)
