"""Cut-outs in NumPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pyhades.numerics import cutout


def cut_out(
    image: NDArray[np.uint8],
    alpha: NDArray[np.uint8],
    *,
    estimate_foreground: bool = True,
    keep_hidden: bool = False,
    out: NDArray[np.uint8] | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> NDArray[np.uint8]:
    """See :func:`pyhades.kernels.cut_out`; ``threads`` and ``isa`` are ignored."""
    result = cutout.cut_out(image, alpha, estimate_foreground, keep_hidden)
    if out is None:
        return result
    out[...] = result
    return out
