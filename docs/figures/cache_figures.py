"""What the cache finds, drawn from the report of ``python -m bench.cache.curves``."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import log2

from drawing import Drawing, width_of
from measured import Report, Row, cache_policies, cache_rooms, cache_traces

WIDTH, MARGIN = 900, 28
HEAD, FOOT = 92, 40
PANEL_HEIGHT, GAP = 170, 30
AXIS, BELOW = 30, 34
"""Widths kept for the numbers beside and below a panel."""
GOAL = 0.95
COLOURS = {
    "class": ("#c2410c", "#f0883e"),
    "lru": ("#1d6fb8", "#58a6ff"),
    "lfu": ("#1a7f4b", "#3fb950"),
    "random": ("#8250df", "#bc8cff"),
    "none": ("#8c959f", "#6e7681"),
}
"""Of policies, on light and on dark."""


def cache_figure(report: Report) -> str:
    """Per trace two panels: memory alone, and some memory with a disk."""
    rows = report["results"]
    policies = cache_policies(rows)
    names = [name for name in cache_traces(rows) if len(cache_policies(rows, name)) > 1]
    height = HEAD + len(names) * (PANEL_HEIGHT + GAP + BELOW) + FOOT
    title = "Of the tokens that a cache without limits would find, how many are found"
    drawing = Drawing(WIDTH, height, title, {f"p-{p}": COLOURS[p] for p in policies})
    drawing.text(MARGIN, 38, title, 17, "strong", weight=650)
    _legend(drawing, policies)
    width = (WIDTH - 2 * MARGIN - GAP) / 2
    for index, name in enumerate(names):
        top = HEAD + index * (PANEL_HEIGHT + GAP + BELOW) + 20
        for column, with_disk in enumerate((False, True)):
            chosen = [r for r in rows if r["trace"] == name and bool(r["below_gb"]) == with_disk]
            left = MARGIN + column * (width + GAP)
            _panel(drawing, name, chosen, left, top, width, with_disk=with_disk)
    note = "Simulated by bench/cache with the cache itself; bytes are of gpt-oss-20b, bfloat16."
    drawing.text(MARGIN, height - 18, note, 11)
    return drawing.svg()


def _legend(drawing: Drawing, policies: Sequence[str]) -> None:
    x = float(MARGIN)
    for name in policies:
        drawing.line(x, 60, x + 18, 60, f"p-{name}", width=3)
        drawing.text(x + 24, 64, name, 12.5, "strong")
        x += 24 + width_of(name, 12.5) + 24
    drawing.line(x, 60, x + 18, 60, "text", dashes="4 3")
    drawing.text(x + 24, 64, f"{GOAL}", 12.5)


def _panel(
    drawing: Drawing, name: str, rows: Sequence[Row], left: float, top: float, width: float, *,
    with_disk: bool,
) -> None:  # fmt: skip
    """Curves of all policies, over the room in powers of two."""
    field = "below_gb" if with_disk else "memory_gb"
    rooms = cache_rooms(rows, field)
    first, last = log2(rooms[0]), log2(rooms[-1])

    def across(room: float) -> float:
        return left + AXIS + (width - AXIS - 12) * (log2(room) - first) / max(last - first, 1)

    def up(share: float) -> float:
        return top + PANEL_HEIGHT * (1 - share)

    memory = rows[0]["memory_gb"]
    what = f"{memory:g} GB of memory and a disk" if with_disk else "memory alone"
    drawing.text(left, top - 10, f"{name}, {what}", 12.5, "text", weight=600)
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        drawing.line(left + AXIS, up(share), left + width, up(share), "line")
        drawing.text(left + AXIS - 6, up(share) + 4, f"{share:g}", 11, anchor="end")
    drawing.line(left + AXIS, up(GOAL), left + width, up(GOAL), "text", dashes="4 3")
    for room in rooms:
        drawing.text(across(room), top + PANEL_HEIGHT + 18, f"{room:g} GB", 11, anchor="middle")
    for policy in cache_policies(rows):
        curve = sorted((r[field], r["of_reusable"]) for r in rows if r["policy"] == policy)
        places = [(across(room), up(share)) for room, share in curve]
        for (x0, y0), (x1, y1) in pairwise(places):
            drawing.line(x0, y0, x1, y1, f"p-{policy}", width=2)
        for x, y in places:
            drawing.circle(x, y, 2.6, f"p-{policy}")
