"""Reference of suppression."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pyhades.kernels.arguments import Array
from pyhades.numerics.selection import suppress_boxes


def suppress(
    boxes: ArrayLike,
    scores: ArrayLike,
    most: int,
    overlap: float = 0.5,
    score: float | None = None,
    *,
    centred: bool = False,
) -> tuple[Array, Array]:
    """See :func:`pyhades.kernels.suppress`; in float32, since it is what a threshold falls to."""
    least = None if score is None else np.float32(score)
    corners, rows = np.asarray(boxes, np.float32), np.asarray(scores, np.float32)
    return suppress_boxes(corners, rows, most, np.float32(overlap), least, centred)
