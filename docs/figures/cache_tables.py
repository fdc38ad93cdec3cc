"""Tables of the cache: what traces find, and how long the second turn of a chat takes."""

from __future__ import annotations

from collections.abc import Sequence

from markdown import table
from measured import Report, Row, cache_policies, cache_traces, short

CASES = {
    "alone": "the new tokens alone",
    "kernels": "one step behind the history",
    "memory": "from memory",
    "windows": "from memory, windows lost",
    "disk": "from disk, after a restart",
    "everything": "everything read",
}
"""What the second turn of a chat is measured as, in the order of the table."""


def traces_table(report: Report) -> str:
    """Every trace with all the room that was tried, under the first policy, the default."""
    rows, lines = report["results"], []
    for name in cache_traces(rows):
        policy = cache_policies(rows, name)[0]
        mine = [row for row in rows if (row["trace"], row["policy"]) == (name, policy)]
        for disk in (False, True):
            chosen = [row for row in mine if bool(row["below_gb"]) == disk]
            lines += [_trace_line(row) for row in chosen]
    heads = ["trace", "prompts", "tokens of prompts", "reusable", "memory", "disk"]
    return table([*heads, "of reusable", "of all", "read once more", "by windows alone"], lines)


def _trace_line(row: Row) -> list[str]:
    return [
        row["trace"], str(row["prompts"]), _thousands(row["prompt_tokens"]),
        f"{row['reusable_tokens'] / row['prompt_tokens']:.3f}",
        _room(row["memory_gb"], row["memory_tokens"]), _room(row["below_gb"], row["below_tokens"]),
        _share(row, "of_reusable"), _share(row, "of_asked"),
        f"{row['rederived_tokens'] / row['prompt_tokens']:.3f}",
        f"{row['by_windows_tokens'] / row['reusable_tokens']:.3f}",
    ]  # fmt: skip


def _share(row: Row, name: str) -> str:
    """The mean of all seeds, with the least and the most where there are several."""
    figures = (row.get(name + which, row[name]) for which in ("", "_least", "_most"))
    told, least, most = (f"{figure:.3f}" for figure in figures)
    return told if least == most else f"{told} ({least} to {most})"


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


def second_turn_table(report: Report) -> str:
    """Every case, with how often the new tokens alone take as long."""
    rows = report["results"]
    lines = []
    for new in sorted({row["new_tokens"] for row in rows}):
        mine = {row["case"]: row for row in rows if row["new_tokens"] == new}
        lines += [_turn_line(name, mine[name], mine) for name in CASES if name in mine]
    heads = ["new tokens", "second turn", "ms", "least to most", "times alone", "times one step"]
    return table([*heads, "cached", "computed again", "MB from disk", "equal to the bit"], lines)


def _turn_line(name: str, row: Row, of_same: dict[str, Row]) -> list[str]:
    equal = f"{row['equal']} of {row['compared']}" if row["compared"] else "-"
    return [
        str(row["new_tokens"]), CASES[name], short(row["median_ms"]),
        f"{short(row['least_ms'])} to {short(row['most_ms'])}",
        *(f"{row['median_ms'] / of_same[than]['median_ms']:.2f}" for than in ("alone", "kernels")),
        str(row["cached_tokens"]), str(row["rederived_tokens"]), f"{row['disk_mb']:g}", equal,
    ]  # fmt: skip


def _mean(rows: Sequence[Row]) -> str:
    return f"{sum(row['of_reusable'] for row in rows) / len(rows):.4f}"


def _what(report: Report) -> str:
    """Which traces were run."""
    machine = report["machine"]
    asks = machine.get("asks")
    whole = f" but {' and '.join(machine['whole'])}" if "whole" in machine else ""
    first = f", the first {asks} prompts of each{whole}" if asks else ""
    return f"seeds {machine['seeds']}{first}"


def cache_text(report: Report) -> str:
    """Both tables."""
    return (
        f"Under the default policy, {_what(report)}:\n\n{traces_table(report)}\n"
        "Of reusable tokens, what every policy finds, as the mean over the rooms of the figure:\n\n"
        f"{policies_table(report)}"
    )
