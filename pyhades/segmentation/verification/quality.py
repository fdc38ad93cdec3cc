"""How good a mask is, beside one that people drew: the measures of salient object detection.

Each follows its paper. Masks are judged as they are: none is stretched to 0..1 before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyhades.segmentation.verification.distance import nearest

Plane = NDArray[np.float64]
Truth = NDArray[np.bool_]

TINY = float(np.finfo(np.float64).eps)
LEVELS = 256
F_WEIGHT = 0.3
"""Beta squared of the F-measure: precision counts more (Achanta et al. 2009)."""


@dataclass(frozen=True)
class Quality:
    """Measures of one mask, or means over several.

    Attributes
    ----------
    mae
        Mean absolute error; 0 is best, for all others 1 is.
    s_measure
        Likeness of structure, of objects and of regions (Fan et al. 2017).
    e_measure
        Enhanced alignment, mean over all thresholds (Fan et al. 2018).
    weighted_f
        F-measure that weighs errors by where they lie (Margolin et al. 2014).
    max_f
        F-measure with beta squared of 0.3, at the best threshold.
    """

    mae: float
    s_measure: float
    e_measure: float
    weighted_f: float
    max_f: float

    @classmethod
    def of(cls, mask: NDArray[np.uint8], truth: Truth) -> Quality:
        """Judge a mask of 0..255 by what is foreground."""
        plane = mask.astype(np.float64) / 255
        return cls(
            float(np.abs(plane - truth).mean()),
            s_measure(plane, truth),
            e_measure(mask, truth),
            weighted_f_measure(plane, truth),
            max_f_measure(mask, truth),
        )


def s_measure(plane: Plane, truth: Truth) -> float:
    """Half of it from objects, half from regions; of one kind only, how many are right."""
    share = float(truth.mean())
    if share == 0:
        return 1 - float(plane.mean())
    if share == 1:
        return float(plane.mean())
    objects = share * _object(plane[truth]) + (1 - share) * _object(1 - plane[~truth])
    return max(0.0, 0.5 * objects + 0.5 * _regions(plane, truth))


def _object(values: Plane) -> float:
    mean = float(values.mean())
    deviation = float(values.std(ddof=1)) if values.size > 1 else 0.0
    return 2 * mean / (mean**2 + 1 + deviation + TINY)


def _regions(plane: Plane, truth: Truth) -> float:
    """Likeness in the four quarters around the centre of the foreground, by their areas."""
    height, width = truth.shape
    row, column = (round(float(where.mean())) + 1 for where in np.nonzero(truth))
    total = 0.0
    for rows in (slice(0, row), slice(row, height)):
        for columns in (slice(0, column), slice(column, width)):
            part = truth[rows, columns]
            total += part.size * _likeness(plane[rows, columns], part) / truth.size
    return total


def _likeness(plane: Plane, truth: Truth) -> float:
    """Structural similarity of one window."""
    if truth.size == 0:
        return 0.0
    x, y, count = float(plane.mean()), float(truth.mean()), max(truth.size - 1, 1)
    of_x = float(((plane - x) ** 2).sum()) / count
    of_y = float(((truth - y) ** 2).sum()) / count
    of_both = float(((plane - x) * (truth - y)).sum()) / count
    above, below = 4 * x * y * of_both, (x**2 + y**2) * (of_x + of_y)
    if above != 0:
        return above / (below + TINY)
    return 1.0 if below == 0 else 0.0


def e_measure(mask: NDArray[np.uint8], truth: Truth) -> float:
    """Mean over all thresholds of how well both deviate from their means together."""
    right, wrong = _above(mask, truth)
    count, foreground = truth.size, int(truth.sum())
    predicted = right + wrong
    if foreground == 0:
        return float(((count - predicted) / (count - 1 + TINY)).mean())
    if foreground == count:
        return float((predicted / (count - 1 + TINY)).mean())
    of_mask, of_truth = predicted / count, foreground / count
    total = np.zeros(LEVELS)
    for is_mask, is_truth, many in (
        (1, 1, right),
        (1, 0, wrong),
        (0, 1, foreground - right),
        (0, 0, count - foreground - wrong),
    ):
        a, b = is_mask - of_mask, is_truth - of_truth
        total += many * (2 * a * b / (a**2 + b**2 + TINY) + 1) ** 2 / 4
    return float((total / (count - 1 + TINY)).mean())


def max_f_measure(mask: NDArray[np.uint8], truth: Truth) -> float:
    """F-measure at the best of all thresholds."""
    right, wrong = _above(mask, truth)
    foreground = max(int(truth.sum()), 1)
    precision = right / np.maximum(right + wrong, 1)
    recall = right / foreground
    below = np.maximum(F_WEIGHT * precision + recall, TINY)
    return float(((1 + F_WEIGHT) * precision * recall / below).max())


def _above(mask: NDArray[np.uint8], truth: Truth) -> tuple[Plane, Plane]:
    """Per threshold, how many pixels are at or above it: in the foreground, and outside."""
    counts = [np.bincount(mask[part], minlength=LEVELS) for part in (truth, ~truth)]
    inside, outside = (np.cumsum(count[::-1])[::-1].astype(np.float64) for count in counts)
    return inside, outside


def weighted_f_measure(plane: Plane, truth: Truth) -> float:
    """Errors beside the foreground count less than those far away; 0 where there is none."""
    if not truth.any():
        return 0.0
    distance, rows, columns = nearest(truth)
    error = np.abs(plane - truth)
    spread = np.where(truth, error, error[rows, columns])
    smooth = _blurred(spread)
    error = np.where(truth & (smooth < error), smooth, error)
    weight = np.where(truth, 1.0, 2.0 - np.exp(np.log(0.5) / 5 * distance))
    weighted = error * weight
    inside = float(weighted[truth].sum())
    right = float(truth.sum()) - inside
    recall = 1 - float(weighted[truth].mean())
    precision = right / (right + float(weighted[~truth].sum()) + TINY)
    return 2 * recall * precision / (recall + precision + TINY)


def _blurred(plane: Plane, side: int = 7, sigma: float = 5.0) -> Plane:
    """A Gaussian window, with zeros outside."""
    offsets = np.arange(side) - side // 2
    window = np.exp(-(offsets**2) / (2 * sigma**2))
    window /= window.sum()
    for axis in (0, 1):
        pad = [(side // 2, side // 2) if a == axis else (0, 0) for a in (0, 1)]
        padded = np.pad(plane, pad)
        extent = plane.shape[axis]
        plane = sum(
            (w * np.take(padded, range(i, i + extent), axis=axis) for i, w in enumerate(window)),
            np.zeros_like(plane),
        )
    return plane
