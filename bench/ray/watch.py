"""When pictures are done, and what CPUs have done for them."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

from bench.ray.accounts import spent

STEADY = (0.1, 0.8)
"""Of all pictures: from where to where a run is steady. Then pools let go of their actors."""
LOOK_SECONDS = 1.0


class Watch:
    """Follows a run that writes files below ``results``, from now on.

    Pictures are counted by the times of their files: those of a block are told all at once, and
    the last of them only when their actors have gone. Processes are looked at every second.
    """

    def __init__(self, results: Path) -> None:
        self._began = self._last = time.time()
        self._results = results
        self._done = 0
        self._first: float | None = None
        self._looks = [(self._began, spent())]
        self._is_over = threading.Event()
        self._looking = threading.Thread(target=self._look, daemon=True)
        self._looking.start()

    def done(self, count: int) -> None:
        """So many more pictures are."""
        self._done += count
        self._last = time.time()
        self._first = self._first or self._last

    def _look(self) -> None:
        while not self._is_over.wait(LOOK_SECONDS):
            self._looks.append((time.time(), spent()))

    def summary(self) -> dict[str, Any]:
        """Pictures a second, seconds until the first, and milliseconds of CPUs for each by role."""
        self._is_over.set()
        self._looking.join()
        times = sorted(path.stat().st_mtime for path in self._results.rglob("*.png"))
        begin, end = (times[int(share * len(times))] for share in STEADY)
        steady = [look for look in self._looks if begin <= look[0] <= end]
        (looked, before), (looked_again, after) = steady[0], steady[-1]
        pictures = sum(looked < time <= looked_again for time in times)
        took = after - before
        return {
            "rate": (STEADY[1] - STEADY[0]) * len(times) / (end - begin),
            "first": (self._first or self._last) - self._began,
            "whole": self._done / (self._last - self._began),
            "ms": {role: round(1000 * value / pictures, 2) for role, value in took.items()},
            "idle": (os.cpu_count() or 1) - took.total() / (looked_again - looked),
        }
