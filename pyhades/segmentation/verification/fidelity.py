"""How far a prediction is from that of another engine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]

LEVEL = 1 / 255
"""One level of a mask of eight bits."""
BOUNDARY_SHARE = 0.02
"""Width of the band along the boundary, in diagonals of the picture (Cheng et al. 2021)."""


@dataclass(frozen=True)
class Fidelity:
    """Differences between two predictions in 0..1 of equal size.

    Attributes
    ----------
    largest, mean
        Absolute difference.
    above_level
        Share of pixels that differ by more than one level of eight bits.
    soft_iou
        Sum of the smaller over sum of the larger values: 1 where both are equal.
    boundary_iou
        Intersection over union of bands along the boundaries of both, cut at one half.
    """

    largest: float
    mean: float
    above_level: float
    soft_iou: float
    boundary_iou: float

    @classmethod
    def of(cls, ours: Plane, theirs: Plane) -> Fidelity:
        """Compare two predictions."""
        difference = np.abs(ours.astype(np.float64) - theirs)
        return cls(
            float(difference.max()),
            float(difference.mean()),
            float((difference > LEVEL).mean()),
            soft_iou(ours, theirs),
            boundary_iou(ours > 0.5, theirs > 0.5),
        )


def soft_iou(first: Plane, second: Plane) -> float:
    """Intersection over union of fuzzy sets; 1 where both are empty."""
    union = float(np.maximum(first, second).sum(dtype=np.float64))
    return float(np.minimum(first, second).sum(dtype=np.float64)) / union if union > 0 else 1.0


def boundary_iou(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Intersection over union of the bands inside of two boundaries; 1 where there is none.

    The border of the picture counts as a boundary.
    """
    width = max(1, round(BOUNDARY_SHARE * float(np.hypot(*first.shape))))
    a, b = (mask & ~eroded(mask, width) for mask in (first, second))
    union = int((a | b).sum())
    return float((a & b).sum()) / union if union else 1.0


def eroded(mask: NDArray[np.bool_], width: int) -> NDArray[np.bool_]:
    """Pixels whose square of ``width`` pixels to each side lies inside ``mask``."""
    side = 2 * width + 1
    sums = np.pad(mask, width).astype(np.int64)
    for axis in (0, 1):
        sums = np.cumsum(sums, axis=axis)
        ahead = np.take(sums, range(side - 1, sums.shape[axis]), axis=axis)
        behind = np.take(sums, range(sums.shape[axis] - side), axis=axis)
        sums = ahead - np.insert(behind, 0, 0, axis=axis)
    return np.asarray(sums == side * side)
