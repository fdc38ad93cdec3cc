"""Tables of the cache: what traces find, and how long the second turn of a chat takes."""

from __future__ import annotations

from collections.abc import Sequence

from markdown import table
from measured import Report, Row, cache_policies, cache_rooms, cache_traces

SMALL, LARGE = 1.0, 8.0
"""GB of memory at which policies are compared."""


def traces_table(report: Report) -> str:
    """Every trace with all the room that was tried, under the default policy."""
    rows, lines = report["results"], []
    for name in cache_traces(rows):
        policy = cache_policies(rows, name)[0]
        mine = [row for row in rows if (row["trace"], row["policy"]) == (name, policy)]
        for disk in (False, True):
            chosen = [row for row in mine if bool(row["below_gb"]) == disk]
            lines += [_trace_line(row) for row in chosen]
    heads = ["trace", "prompts", "tokens of prompts", "reusable", "memory", "disk"]
    return table([*heads, "of reusable", "of all", "read once more"], lines)


def _trace_line(row: Row) -> list[str]:
    return [
        row["trace"], str(row["prompts"]), _thousands(row["prompt_tokens"]),
        f"{row['reusable_tokens'] / row['prompt_tokens']:.3f}",
        _room(row["memory_gb"], row["memory_tokens"]), _room(row["below_gb"], row["below_tokens"]),
        f"{row['of_reusable']:.3f}", f"{row['of_asked']:.3f}",
        f"{row['rederived_tokens'] / row['prompt_tokens']:.3f}",
    ]  # fmt: skip


def _room(gigabytes: float, tokens: int) -> str:
    return f"{gigabytes:g} GB, {_thousands(tokens)}" if gigabytes else "-"


def _thousands(tokens: int) -> str:
    return f"{tokens / 1e3:.0f}k"


def policies_table(report: Report) -> str:
    """What each policy finds of what is reusable, on all traces and rooms, and on average."""
    rows = report["results"]
    names = [name for name in cache_traces(rows) if len(cache_policies(rows, name)) > 1]
    lines = []
    for policy in cache_policies(rows):
        mine = [row for row in rows if row["policy"] == policy and row["trace"] in names]
        cells = [_mean([row for row in mine if row["trace"] == name]) for name in names]
        lines.append([policy, *cells, _mean(mine)])
    return table(["policy", *names, "all"], lines)


def _mean(rows: Sequence[Row]) -> str:
    return f"{sum(row['of_reusable'] for row in rows) / len(rows):.4f}"


def cache_text(report: Report) -> str:
    """Both tables."""
    rooms = cache_rooms([r for r in report["results"] if not r["below_gb"]], "memory_gb")
    sizes = ", ".join(f"{room:g}" for room in rooms)
    return (
        f"{traces_table(report)}\nEvery policy, as the mean over all rooms (memory alone, {sizes} "
        f"GB, and with a disk):\n\n{policies_table(report)}"
    )
