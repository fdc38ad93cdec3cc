"""What pairs of runs say: how much sooner one of the two ways is done, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LONGEST = 6.0
"""Times the median of steps without drafts that a step counts as at most: drafts cost less, and
what takes longer is somebody else's work on the same machine."""
DRAWS = 4000
SURE = 0.95


@dataclass(frozen=True)
class Gain:
    """Times as fast one way is as the other.

    Attributes
    ----------
    median
        Of the ratios of all pairs.
    low, high
        Between which it lies, at a confidence of .95.
    """

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        median, low, high = (100 * (ratio - 1) for ratio in (self.median, self.low, self.high))
        return f"{median:+.1f} % ({low:+.1f} to {high:+.1f})"


def ratio_of(plain: Sequence[float], drafts: Sequence[float]) -> float:
    """How many times as long the steps of one run took as those of another that wrote the same.

    Examples
    --------
    >>> ratio_of([1.0, 1.0, 1.0, 90.0], [2.0, 1.5])
    2.0
    """
    most = LONGEST * float(np.median(plain))
    return float(np.minimum(plain, most).sum() / np.minimum(drafts, most).sum())


def gain_of(ratios: Sequence[float], seed: int = 0) -> Gain:
    """The median of ratios, and its interval by the bootstrap: pairs are drawn again and again.

    What changes about a machine from minute to minute changes for both runs of a pair, so that
    ratios tell what times do not.

    Examples
    --------
    >>> print(gain_of([1.02, 1.01, 1.03, 0.99, 1.02]))
    +2.0 % (-1.0 to +3.0)
    """
    given = np.asarray(ratios)
    picks = np.random.default_rng(seed).integers(0, len(given), (DRAWS, len(given)))
    medians = np.median(given[picks], axis=1)
    low, high = np.quantile(medians, [(1 - SURE) / 2, (1 + SURE) / 2])
    return Gain(float(np.median(given)), float(low), float(high))
