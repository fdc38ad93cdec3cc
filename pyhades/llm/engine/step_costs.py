"""How long a step takes: measured at start, corrected by every step since."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Sequence as Items
from itertools import accumulate

from pyhades.llm.engine.runner import Piece, Runner

MEASURING_SECONDS = 0.5
"""After which no further size is measured at start."""
LEARNING = 0.2
"""Weight of a step in what is known."""
TIMES = 3
"""Measurements of the cost of looking back, the shortest of which counts."""
_DEEP = 1024
"""Tokens before a row, by which the cost of looking back is measured."""


class StepCosts:
    """Seconds of a step with so many rows that look back at so many tokens.

    A table over numbers of rows, between whose entries is interpolated, plus what each look of a
    row at an earlier token takes.

    Parameters
    ----------
    rows
        Sizes of steps, ascending.
    seconds
        What they take without anything to look back at.
    seconds_per_look
        Of a row at a token.

    Examples
    --------
    >>> costs = StepCosts([1, 64], [0.1, 0.73], 1e-6)
    >>> round(costs.seconds(11, looks=0), 2)
    0.2
    >>> round(costs.seconds(128), 2)  # beyond the table as between its last two entries
    1.37
    """

    def __init__(
        self, rows: Items[int], seconds: Items[float], seconds_per_look: float = 0.0
    ) -> None:
        self._rows = list(map(float, rows))
        self._seconds = list(map(float, seconds))
        self.seconds_per_look = seconds_per_look

    @classmethod
    def measured(cls, runner: Runner) -> StepCosts:
        """Take the time of steps of growing size, until that has taken long enough."""
        most = min(runner.limits.tokens, runner.cache.context_length)
        sizes = [size for size in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512) if size <= most]
        taken: list[float] = []
        began = time.perf_counter()
        _time(runner, 1, 0)  # pages and clocks
        for size in sizes:
            if time.perf_counter() - began > MEASURING_SECONDS and len(taken) > 1:
                break
            taken.append(_time(runner, size, 0))
        deep = min(_DEEP, runner.cache.context_length - 1)
        # Nothing corrects this later: an accident must not become what looking back takes.
        deepest = min(_time(runner, 1, deep) for _ in range(TIMES)) if deep > 0 else 0.0
        look = (deepest - taken[0]) / max(deep, 1)
        return cls(sizes[: len(taken)], taken, max(look, 0.0))

    def seconds(self, rows: int, looks: int = 0) -> float:
        """What a step takes.

        Parameters
        ----------
        rows
            Tokens that go in.
        looks
            Tokens in front of each of them, added up.
        """
        return self._of_rows(rows) + looks * self.seconds_per_look

    def learn(self, rows: int, looks: int, seconds: float) -> None:
        """Take into account what a step has taken."""
        expected = self.seconds(rows, looks)
        if not rows or expected <= 0:
            return
        # One factor for the neighbours in the table; an outlier, as when the machine was asleep,
        # counts at most twice.
        factor = 1 + LEARNING * (min(max(seconds / expected, 0.5), 2.0) - 1)
        above = bisect_left(self._rows, rows)
        for index in {max(above - 1, 0), min(above, len(self._rows) - 1)}:
            self._seconds[index] *= factor
        self._seconds = list(accumulate(self._seconds, max))

    def _of_rows(self, rows: int) -> float:
        if len(self._rows) == 1:
            return self._seconds[0] * max(rows / self._rows[0], 1.0)
        if rows <= self._rows[0]:
            return self._seconds[0]
        above = min(bisect_left(self._rows, rows), len(self._rows) - 1)
        below = above - 1
        slope = (self._seconds[above] - self._seconds[below]) / (
            self._rows[above] - self._rows[below]
        )
        return self._seconds[below] + slope * (rows - self._rows[below])

    def __repr__(self) -> str:
        table = ", ".join(
            f"{int(rows)}: {seconds * 1e3:.1f} ms"
            for rows, seconds in zip(self._rows, self._seconds, strict=True)
        )
        return f"StepCosts({table}; {self.seconds_per_look * 1e9:.0f} ns per look back)"


def _time(runner: Runner, tokens: int, depth: int) -> float:
    """Seconds of a step of one sequence; what stands before it is whatever the cache holds."""
    sequence = runner.cache.sequence()
    try:
        for first in range(0, depth, runner.limits.tokens):
            runner.cache.append(sequence, min(runner.limits.tokens, depth - first))
            runner.cache.forget(sequence)
        began = time.perf_counter()
        runner.run([Piece(sequence, [index % 7 for index in range(tokens)], 1)])
        return time.perf_counter() - began
    finally:
        runner.cache.free(sequence)
