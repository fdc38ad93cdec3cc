"""Histograms that can be added up, whatever range each was made for.

The width of a bin is a power of two, and bins begin at its multiples: two histograms are brought to
the same bins by adding neighbours. So what many pictures give does not depend on their order, and
the range need not be known before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyhades.numerics.array import Array

BINS = 2048
"""The most a histogram has."""


@dataclass(frozen=True)
class Histogram:
    """How many numbers lie in ``[i, i + 1) * 2 ** exponent``, for ``i`` from ``first`` on."""

    exponent: int
    first: int
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, x: Array) -> Histogram:
        """Of finite numbers, at least one.

        Examples
        --------
        >>> h = Histogram.of(np.array([0.0, 0.25, 1.0]))
        >>> int(h.counts.sum()), float(h.centres[0]) < 0.001
        (3, True)
        """
        low, high = float(x.min()), float(x.max())
        exponent = _exponent(low, high)
        bins = np.floor(np.ldexp(x.reshape(-1).astype(np.float64), -exponent)).astype(np.int64)
        first = int(bins.min())
        return cls(exponent, first, np.bincount(bins - first))

    @property
    def centres(self) -> NDArray[np.float64]:
        """The middle of every bin."""
        middles = np.arange(self.first, self.first + len(self.counts)) + 0.5
        return np.asarray(np.ldexp(middles, self.exponent))

    def __add__(self, other: Histogram) -> Histogram:
        """Both together."""
        exponent = max(self.exponent, other.exponent)
        while True:
            parts = [each._coarser(exponent) for each in (self, other)]
            first = min(part.first for part in parts)
            end = max(part.first + len(part.counts) for part in parts)
            if end - first <= BINS:
                break
            exponent += 1
        counts = np.zeros(end - first, np.int64)
        for part in parts:
            counts[part.first - first :][: len(part.counts)] += part.counts
        return Histogram(exponent, first, counts)

    def _coarser(self, exponent: int) -> Histogram:
        shift = exponent - self.exponent
        if not shift:
            return self
        bins = np.arange(self.first, self.first + len(self.counts)) >> shift
        first = int(bins[0])
        counts = np.bincount(bins - first, self.counts).astype(np.int64)
        return Histogram(exponent, first, counts)


def _exponent(low: float, high: float) -> int:
    """The least for which the range has no more bins than there may be."""
    span = max(high - low, abs(low) * 2.0**-20, abs(high) * 2.0**-20, 2.0**-100)
    exponent = int(np.ceil(np.log2(span / (BINS - 2))))
    while np.floor(high / 2.0**exponent) - np.floor(low / 2.0**exponent) >= BINS:
        exponent += 1
    return exponent
