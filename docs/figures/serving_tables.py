"""Tables of servers under load, from reports of ``pyhades bench serve``."""

from __future__ import annotations

from markdown import table
from measured import OURS, Report, Row, engines, short


def serving_table(report: Report) -> str:
    """What clients get, by how many there are, of each server."""
    lines = [_line(row) for engine in engines(report["results"]) for row in report["results"]
             if row["engine"] == engine]  # fmt: skip
    heads = ["server", "clients", "tokens/s", "times one", "while all write", "times one"]
    heads += ["first token, s, p50 / p99", "between tokens, ms, p50 / p90 / p99", "GB"]
    return table(heads, lines)


def _line(row: Row) -> list[str]:
    first, between = row["ttft_ms"], row["itl_ms"]
    name = f"**{row['engine']}**" if row["engine"] == OURS else row["engine"]
    return [
        name, str(row["clients"]), short(row["tok_s"]), f"{row['times_one']:.2f}",
        short(row["writing_tok_s"]), f"{row['writing_times_one']:.2f}",
        f"{first['p50'] / 1e3:.1f} / {first['p99'] / 1e3:.1f}",
        f"{between['p50']:.0f} / {between['p90']:.0f} / {between['p99']:.0f}",
        f"{row['rss_gb']:.1f}",
    ]  # fmt: skip
