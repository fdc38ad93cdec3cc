"""The guided filter with a colour guide: a matte as a local function of colours.

Published by He, Sun and Tang (Guided Image Filtering, PAMI 2013). Around every cell, opacity is
fitted as ``a . colour + b`` by least squares with a penalty on ``a``. All of it happens on a coarse
grid (He and Sun, Fast Guided Filter, 2015), whose sums are small.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float64]
Planes = NDArray[np.float32]


def coefficients(colour: Planes, opacity: Planes, radius: int, penalty: float) -> Planes:
    """The function at each cell: float32 ``[4, h, w]``, three factors and a constant.

    Parameters
    ----------
    colour
        float32 ``[3, h, w]`` in 0..1.
    opacity
        float32 ``[h, w]`` in 0..1.
    radius
        Of the windows, which have ``2 * radius + 1`` cells a side, in cells.
    penalty
        On the square of the factors: variances of colour below it count as noise.
    """
    mean = [box_mean(plane, radius) for plane in colour]
    mean_opacity = box_mean(opacity, radius)

    def covariance(a: Planes, b: Planes, mean_a: Plane, mean_b: Plane) -> Plane:
        return box_mean(a * b, radius) - mean_a * mean_b

    cross = [covariance(plane, opacity, mean[c], mean_opacity) for c, plane in enumerate(colour)]
    matrix = {
        (i, j): covariance(colour[i], colour[j], mean[i], mean[j]) + (penalty if i == j else 0)
        for i in range(3)
        for j in range(i, 3)
    }
    factors = _solved(matrix, cross)
    constant = mean_opacity - sum(f * m for f, m in zip(factors, mean, strict=True))
    found = [box_mean(plane, radius) for plane in (*factors, constant)]
    return np.stack(found).astype(np.float32)


def box_mean(plane: NDArray[np.floating], radius: int) -> Plane:
    """Mean over a square around each cell, of which only what lies inside counts.

    Examples
    --------
    >>> box_mean(np.array([[0.0, 3.0, 6.0]]), 1)
    array([[1.5, 3. , 4.5]])
    """
    height, width = plane.shape
    sums = _window_sums(_window_sums(plane, radius), radius, axis=1)
    sums /= _window_sums(np.ones((height, 1)), radius)
    sums /= _window_sums(np.ones((1, width)), radius, axis=1)
    return sums


def _window_sums(plane: NDArray[np.floating], radius: int, axis: int = 0) -> Plane:
    """Sums over ``2 * radius + 1`` neighbours along an axis: differences of running sums."""
    length = plane.shape[axis]
    around = [(0, 0), (0, 0)]
    around[axis] = (radius + 1, radius)
    running = np.cumsum(np.pad(plane, around), axis=axis, dtype=np.float64)
    last, first = [slice(None)] * 2, [slice(None)] * 2
    last[axis], first[axis] = slice(2 * radius + 1, None), slice(None, length)
    sums: Plane = running[tuple(last)] - running[tuple(first)]
    return sums


def _solved(matrix: dict[tuple[int, int], Plane], right: list[Plane]) -> list[Plane]:
    """Solve a symmetric 3 x 3 system at each cell, by its adjugate."""
    (a, b, c), (d, e), f = (
        (matrix[0, 0], matrix[0, 1], matrix[0, 2]), (matrix[1, 1], matrix[1, 2]), matrix[2, 2],
    )  # fmt: skip
    minors = [
        [d * f - e * e, c * e - b * f, b * e - c * d],
        [c * e - b * f, a * f - c * c, b * c - a * e],
        [b * e - c * d, b * c - a * e, a * d - b * b],
    ]
    determinant = a * minors[0][0] + b * minors[0][1] + c * minors[0][2]
    return [
        sum((m * r for m, r in zip(row, right, strict=True)), np.float64(0)) / determinant
        for row in minors
    ]
