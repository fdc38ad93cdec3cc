"""Round weights one after the other, and let those that come later make up for the error so far.

What a product makes is to change least on what it reads: of all roundings near, the one whose error
``dw`` makes ``dw @ moments @ dw`` small. Rounding column by column and spreading each error over
the columns that are still free, by least squares, comes close to it (optimal brain surgeon, as in
GPTQ).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

BLOCK = 128
"""Columns whose errors are spread among themselves before they are spread over the others."""
DAMPING = 0.002
"""Of the mean moment, added to each: what was seen is not all that there is."""


def round_with_feedback(steps: Matrix, moments: Matrix, largest: int) -> Matrix:
    """Integers in ``-largest..largest`` in place of ``steps``.

    Parameters
    ----------
    steps
        Weights in units of their grids, ``[outputs, inputs]``.
    moments
        Mean products of what two inputs deviate by, ``[inputs, inputs]``.
    largest
        Integer that a weight may have.

    Examples
    --------
    Both inputs are alike, so that one makes up for what the other lost.

    >>> round_with_feedback(np.array([[0.4, 0.4]]), np.ones((2, 2)), 127).tolist()
    [[0.0, 1.0]]
    """
    # What is heard most is rounded first, while all others can still make up for it.
    order = np.argsort(-np.diag(moments), kind="stable")
    left = steps[:, order].astype(np.float64)
    spread = _spread(moments[np.ix_(order, order)])
    rounded = np.empty_like(left)
    for start in range(0, left.shape[1], BLOCK):
        end = min(start + BLOCK, left.shape[1])
        errors = np.empty((len(left), end - start))
        for column in range(start, end):
            value = left[:, column]
            rounded[:, column] = np.clip(np.rint(value), -largest, largest)
            error = (value - rounded[:, column]) / spread[column, column]
            left[:, column:end] -= error[:, None] * spread[column, column:end]
            errors[:, column - start] = error
        left[:, end:] -= errors @ spread[start:end, end:]
    result = np.empty_like(rounded)
    result[:, order] = rounded
    return result


def _lower_factor(moments: Matrix, damping: float) -> Matrix:
    """The Cholesky factor of damped moments; few samples may need more damping than most."""
    if not np.isfinite(moments).all():
        return np.eye(len(moments))
    while True:
        try:
            factor = np.linalg.cholesky(moments + np.eye(len(moments)) * damping)
            return np.asarray(factor, np.float64)
        except np.linalg.LinAlgError:
            damping *= 10


def _spread(moments: Matrix) -> Matrix:
    """The upper Cholesky factor of the inverse: how an error is spread over later columns."""
    mean = float(np.diag(moments).mean())
    damping = mean * DAMPING if mean > 0 else 1.0
    # The inverse is factored without being formed: of the reversed matrix, and back.
    lower = _lower_factor(moments[::-1, ::-1], damping)[::-1, ::-1]
    return np.asarray(np.linalg.inv(lower), np.float64)


__all__ = ["round_with_feedback"]
