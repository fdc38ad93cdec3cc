"""When pictures are done, and what CPUs have done for them."""

from __future__ import annotations

import os
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from bench.ray.accounts import spent

EDGE = 0.1
"""Of all pictures: so many at the beginning and at the end do not count as steady."""


@dataclass(frozen=True)
class Moment:
    """How many pictures are done, and CPU seconds by role until then."""

    when: float
    done: int
    spent: Counter[str]


class Watch:
    """Follows a run of ``total`` pictures, from now on.

    Processes are looked at twice, where the steady part begins and ends: that costs CPUs, too.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._began = self._last = time.time()
        self._done = 0
        self._first: float | None = None
        self._edges: list[Moment] = []

    def done(self, count: int) -> None:
        """So many more pictures are."""
        self._done += count
        self._last = time.time()
        self._first = self._first or self._last
        if self._done >= (EDGE, 1 - EDGE, 2)[len(self._edges)] * self._total:
            self._edges.append(Moment(self._last, self._done, spent()))

    def summary(self) -> dict[str, Any]:
        """Pictures a second, seconds until the first, and milliseconds of CPUs for each by role."""
        begin, end = self._edges
        seconds, pictures = end.when - begin.when, end.done - begin.done
        took = Counter(end.spent)
        took.subtract(begin.spent)
        return {
            "rate": pictures / seconds,
            "first": (self._first or self._last) - self._began,
            "whole": self._done / (self._last - self._began),
            "ms": {role: round(1000 * value / pictures, 2) for role, value in took.items()},
            "idle": (os.cpu_count() or 1) - took.total() / seconds,
        }
