"""When pictures are done, and what CPUs have done for them."""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

from bench.ray.accounts import spent

STEADY = (0.1, 0.8)
"""Of all pictures: from where to where a run is steady. Then pools let go of their actors."""


class Watch:
    """Follows a run of ``total`` pictures, from now on, which writes files below ``results``.

    Steady pictures are counted by the times of their files: those of a block are told all at once.
    Processes are looked at twice, where the steady part begins and ends: that costs CPUs, too.
    """

    def __init__(self, total: int, results: Path) -> None:
        self._total = total
        self._began = self._last = time.time()
        self._results = results
        self._done = 0
        self._first: float | None = None
        self._edges: list[tuple[float, Counter[str]]] = []

    def done(self, count: int) -> None:
        """So many more pictures are."""
        self._done += count
        self._last = time.time()
        self._first = self._first or self._last
        if self._done >= (*STEADY, 2)[len(self._edges)] * self._total:
            self._edges.append((self._last, spent()))

    def summary(self) -> dict[str, Any]:
        """Pictures a second, seconds until the first, and milliseconds of CPUs for each by role."""
        (begin, spent_before), (end, spent_after) = self._edges
        times = [path.stat().st_mtime for path in self._results.rglob("*.png")]
        seconds, pictures = end - begin, sum(begin < time <= end for time in times)
        took = spent_after - spent_before  # of processes that have gone in between nothing is known
        return {
            "rate": pictures / seconds,
            "first": (self._first or self._last) - self._began,
            "whole": self._done / (self._last - self._began),
            "ms": {role: round(1000 * value / pictures, 2) for role, value in took.items()},
            "idle": (os.cpu_count() or 1) - took.total() / seconds,
        }
