"""What is seen of an edge while calibration pictures pass through it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyhades.errors import ModelError
from pyhades.numerics.array import Array
from pyhades.segmentation.quantize.histogram import Histogram

SAMPLES = 1 << 17
"""Numbers of an edge and a picture that its histogram counts; the ends are those of all."""
POSITIONS = 1 << 12
"""Of a picture, at least so many are looked at for means and mean squares of channels."""


@dataclass(frozen=True)
class EdgeStatistics:
    """Of one edge, over some pictures.

    Attributes
    ----------
    low, high
        The least and the greatest number.
    histogram
        Of evenly spread samples of every picture.
    peaks
        Per channel, the largest magnitude, float32.
    means, squares
        Per channel, the mean and the mean square of evenly spread samples, float32.
    pictures
        How many.
    """

    low: float
    high: float
    histogram: Histogram
    peaks: NDArray[np.float32]
    means: NDArray[np.float32]
    squares: NDArray[np.float32]
    pictures: int = 1

    @classmethod
    def of(cls, x: Array, axis: int, name: str = "") -> EdgeStatistics:
        """Of the values of one picture, whose channels lie along ``axis``.

        Raises
        ------
        ModelError
            There are infinities or NaN among them.
        """
        others = tuple(i for i in range(x.ndim) if i != axis % max(x.ndim, 1))
        least, most = (np.asarray(ends).reshape(-1) for ends in (x.min(others), x.max(others)))
        low, high = float(least.min()), float(most.max())
        if not (np.isfinite(low) and np.isfinite(high)):
            raise ModelError(f"edge {name!r} has numbers that are not finite; no grid holds them")
        flat = x.reshape(-1)
        # An odd step visits all channels, whatever power of two their number is.
        step = max(flat.size // SAMPLES, 1) | 1
        peaks = np.maximum(most, -least).astype(np.float32)
        few = _spread(x, axis % max(x.ndim, 1))
        means = few.mean(others, dtype=np.float64).astype(np.float32).reshape(-1)
        squares = _mean_squares(few, others)
        return cls(low, high, Histogram.of(flat[::step]), peaks, means, squares)

    def __add__(self, other: EdgeStatistics) -> EdgeStatistics:
        """Of the pictures of both."""
        pictures = self.pictures + other.pictures
        share = np.float32(self.pictures / pictures)
        return EdgeStatistics(
            min(self.low, other.low),
            max(self.high, other.high),
            self.histogram + other.histogram,
            np.maximum(self.peaks, other.peaks),
            share * self.means + (1 - share) * other.means,
            share * self.squares + (1 - share) * other.squares,
            pictures,
        )

    def to_arrays(self) -> dict[str, Array]:
        """Everything, as a file of arrays takes it."""
        h = self.histogram
        numbers = [h.exponent, h.first, self.pictures]
        return {
            "ends": np.array([self.low, self.high]),
            "numbers": np.array(numbers, np.int64),
            "counts": h.counts,
            "peaks": self.peaks,
            "means": self.means,
            "squares": self.squares,
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, Any]) -> EdgeStatistics:
        """What :meth:`to_arrays` gave."""
        low, high = map(float, arrays["ends"])
        exponent, first, pictures = map(int, arrays["numbers"])
        histogram = Histogram(exponent, first, arrays["counts"])
        peaks, means, squares = (arrays[name] for name in ("peaks", "means", "squares"))
        return cls(low, high, histogram, peaks, means, squares, pictures)

    @property
    def variances(self) -> NDArray[np.float32]:
        """Per channel."""
        return np.asarray(np.maximum(self.squares - self.means**2, 0), np.float32)


def _spread(x: Array, axis: int) -> Array:
    """``x`` at evenly spread positions beside ``axis``: every so many of its longest axes."""
    index = [slice(None)] * x.ndim
    left = x.size // max(x.shape[axis], 1) if x.ndim else 1
    for other in sorted((i for i in range(x.ndim) if i != axis), key=lambda i: -x.shape[i]):
        # An odd step does not keep in time with what repeats every second or fourth position.
        step = min(left // POSITIONS, x.shape[other], 15) | 1
        index[other] = slice(step // 2, None, step)
        left //= step
    return x[tuple(index)]


def _mean_squares(x: Array, others: tuple[int, ...]) -> NDArray[np.float32]:
    """Over ``others`` of the axes; numbers so large that their squares are not finite, too."""
    peak = max(float(np.abs(x).max()), 1e-30)
    squares = np.square(x / np.float32(peak)).mean(others, dtype=np.float64) * peak**2
    return np.asarray(np.minimum(squares, np.finfo(np.float32).max), np.float32).reshape(-1)


Statistics = dict[str, EdgeStatistics]
"""By the name of the edge."""


def merged(first: Statistics, second: Statistics) -> Statistics:
    """Of the pictures of both; edges that only one has are as they were."""
    both = {name: first[name] + second[name] for name in first.keys() & second.keys()}
    return {**first, **second, **both}
