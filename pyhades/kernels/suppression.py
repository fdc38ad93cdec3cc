"""Suppression of overlapping boxes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pyhades.errors import ArgumentError
from pyhades.kernels.arguments import Array, as_array, call, check_shape


def suppress(
    boxes: ArrayLike,
    scores: ArrayLike,
    most: int,
    overlap: float = 0.5,
    score: float | None = None,
    *,
    centred: bool = False,
    threads: int | None = None,
    isa: str | None = None,
) -> tuple[Array, Array]:
    """Which boxes remain per batch entry and class where a better one suppresses its like.

    Parameters
    ----------
    boxes
        float32 ``[b, n, 4]``: two corners, in any order, or centre and size.
    scores
        float32 ``[b, c, n]``; NaN counts as minus infinity.
    most
        Boxes that are kept per class.
    overlap
        A box goes that overlaps a better one of its class by more than this share of their union.
    score
        A box goes whose score is not above; by default all compete.
    centred
        Whether boxes are centre and size.
    threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    chosen, counts : ndarray
        int64 ``[b, c, min(most, n)]``, indices of boxes from the best score down, the lower index
        first among equals, and -1 behind the last; int64 ``[b, c]``, how many there are.

    Raises
    ------
    ArgumentError
        Shapes do not fit, or a number is out of range.

    Examples
    --------
    >>> boxes = np.float32([[[0, 0, 2, 2], [0, 0, 2, 1.9], [5, 5, 6, 6]]])
    >>> chosen, counts = suppress(boxes, np.float32([[[0.4, 0.9, 0.5]]]), most=3)
    >>> chosen.tolist(), counts.tolist()
    ([[[1, 2, -1]]], [[2]])
    """
    corners, rows = as_array("boxes", boxes, ndim=3), as_array("scores", scores, ndim=3)
    check_shape("boxes", corners, (*corners.shape[:2], 4))
    check_shape("scores", rows, (corners.shape[0], rows.shape[1], corners.shape[1]))
    if most < 0:
        raise ArgumentError(f"most={most} must not be negative")
    if not 0 <= overlap <= 1:
        raise ArgumentError(f"overlap={overlap} must lie in [0, 1]")
    chosen = np.empty((*rows.shape[:2], min(most, rows.shape[2])), np.int64)
    counts = np.empty(rows.shape[:2], np.int64)
    least = None if score is None else np.array([score], np.float32)
    inputs = [corners, rows, np.array([most], np.int64), np.array([overlap], np.float32), least]
    attributes = {"centred": int(centred)}
    call("suppress", inputs, [chosen, counts], attributes, threads=threads, isa=isa)
    return chosen, counts
