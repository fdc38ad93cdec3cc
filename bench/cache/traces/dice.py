"""When people ask, and how much: distributions of traces."""

from __future__ import annotations

import numpy as np


class Dice:
    """Random numbers of a trace; the same seed gives the same ones."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.Generator(np.random.PCG64(seed))

    def bursts(self, count: int, mean_gap: float, shape: float = 0.3) -> list[float]:
        """Times of arrivals that come in bursts.

        Gaps follow a gamma distribution, whose ``shape`` is 1 where nobody minds the others and
        below where they come together: a third is what public logs of services look like.
        """
        gaps = self._random.gamma(shape, mean_gap / shape, count)
        return [float(time) for time in np.cumsum(gaps)]

    def length(self, median: float, spread: float, most: float = 4000) -> float:
        """A log-normal number of tokens: many short texts, few long ones."""
        return float(min(median * np.exp(spread * self._random.standard_normal()), most))

    def pause(self, median: float, spread: float = 1.3, most: float = 86_400.0) -> float:
        """Seconds between an answer and what is asked next; some come back after hours."""
        return self.length(median, spread, most)

    def turns(self, mean: float) -> int:
        """How many turns a chat has: one at least, geometric."""
        return int(self._random.geometric(1 / mean))

    def between(self, least: float, most: float) -> float:
        """Any number of a range."""
        return float(self._random.uniform(least, most))

    def happens(self, probability: float) -> bool:
        """Whether something happens."""
        return bool(self._random.random() < probability)

    def below(self, count: int) -> int:
        """Any of 0 to ``count - 1``."""
        return int(self._random.integers(count))

    def some_of(self, count: int, wanted: int) -> list[int]:
        """Some of 0 to ``count - 1``, in any order."""
        return [int(one) for one in self._random.permutation(count)[:wanted]]

    def zipf(self, count: int, exponent: float = 1.1) -> int:
        """One of 0 to ``count - 1``, the first ones far more often."""
        weights = 1 / np.arange(1, count + 1) ** exponent
        return int(self._random.choice(count, p=weights / weights.sum()))
