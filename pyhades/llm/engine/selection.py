"""Choosing among hundreds of thousands of values without sorting them.

All results follow from the values alone: equal values are taken in order of their index.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

GROUP = 64
"""Values per group of which only the largest is looked at first."""
CHUNK = 512
"""Weights that are summed together before the chunk of the drawn one is known."""
SORTED_AT_MOST = 1024

Floats = NDArray[np.float32]
Indices = NDArray[np.intp]


def largest(values: Floats, count: int) -> Indices:
    """Indices of the ``count`` largest values, the largest first.

    The ``count``-th largest of the groups' largest values bounds the ``count``-th largest of all
    from below, and few values reach it.
    """
    size = values.size
    if not count:
        return np.empty(0, np.intp)
    groups = values[: size - size % GROUP].reshape(GROUP, -1).max(axis=0)
    among = groups if count <= groups.size else values
    bound = np.partition(among, among.size - count)[among.size - count]
    candidates = np.flatnonzero(values >= bound)
    order = np.argsort(-values[candidates], kind="stable")
    return candidates[order[:count]]


def nucleus(weights: Floats, share: float) -> Indices:
    """Indices, ascending, of the fewest largest weights whose sum is ``share`` of the whole.

    Parameters
    ----------
    weights
        Not negative, and not all zero.
    share
        Above 0, at most 1.
    """
    total = weights.sum(dtype=np.float64)
    # Weights below their even share of what may be missing add up to less than that.
    bound = np.float32((1 - share) * total / weights.size)
    count, smallest = _count_of_nucleus(weights[weights >= bound], share * total)
    kept = weights > smallest
    equals = count - np.count_nonzero(kept)
    kept[np.flatnonzero(weights == smallest)[:equals]] = True
    return np.flatnonzero(kept)


def _count_of_nucleus(weights: Floats, wanted: float) -> tuple[int, np.float32]:
    """How many of the largest weights it takes to sum up to ``wanted``, and the last of them.

    By selection: the larger part is summed, and the part in which the sum is reached looked at
    further, until little enough is left to be sorted.
    """
    falling = -weights
    count = 0
    while falling.size > SORTED_AT_MOST:
        middle = falling.size // 2
        falling.partition(middle)
        upper = -float(falling[:middle].sum(dtype=np.float64))
        if upper < wanted:
            wanted -= upper
            count += middle
            falling = falling[middle:]
        else:
            falling = falling[:middle]
    falling.sort()
    sums = -falling.cumsum(dtype=np.float64)
    last = min(int(np.searchsorted(sums, wanted)), falling.size - 1)
    return count + last + 1, -falling[last]


def draw(weights: Floats, uniform: float) -> int:
    """Index of a weight, each drawn with a probability in proportion.

    Parameters
    ----------
    weights
        Not negative, and not all zero.
    uniform
        A random number in ``[0, 1)``: the sum of the weights up to the drawn one is the first that
        exceeds this share of the whole.
    """
    chunks = np.add.reduceat(weights, np.arange(0, weights.size, CHUNK))
    sums = chunks.cumsum(dtype=np.float64)
    target = uniform * sums[-1]
    chunk = _first_above(sums, target)
    start = chunk * CHUNK
    within = weights[start : start + CHUNK].cumsum(dtype=np.float64)
    before = sums[chunk - 1] if chunk else 0.0
    return start + _first_above(within, target - before)


def _first_above(sums: NDArray[np.float64], target: float) -> int:
    """The first sum above ``target``, or where rounding left none, the first to reach the last."""
    index = int(np.searchsorted(sums, target, side="right"))
    return index if index < sums.size else int(np.searchsorted(sums, sums[-1]))
