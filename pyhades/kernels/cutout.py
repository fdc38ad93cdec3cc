"""Cutting a foreground out along its matte."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pyhades.kernels.arguments import Array, as_array, call, check_shape, output


def cut_out(
    image: NDArray[np.uint8],
    alpha: NDArray[np.uint8],
    *,
    estimate_foreground: bool = True,
    keep_hidden: bool = False,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> NDArray[np.uint8]:
    """Make RGBA with straight (not premultiplied) alpha, without the background's colour at edges.

    Where ``0 < alpha < 255`` a pixel shows a mixture of foreground and background. The colour
    written there is an estimate of the foreground's alone, by blur fusion in two passes: averages
    over about a tenth of the image, then over 13 x 13 pixels. Elsewhere it is that of the image.

    Parameters
    ----------
    image
        uint8 ``[h, w, 3]``.
    alpha
        uint8 ``[h, w]``.
    estimate_foreground
        False keeps the colours of the image everywhere.
    keep_hidden
        False writes colour 0 where ``alpha`` is 0, which compresses better and gives nothing away.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        uint8 ``[h, w, 4]``; the same for every tier and number of threads.

    Raises
    ------
    ArgumentError
        If shapes do not fit.

    References
    ----------
    Forte, "Approximate fast foreground colour estimation", ICIP 2021.

    Examples
    --------
    >>> image = np.full((1, 2, 3), 80, np.uint8)
    >>> cut_out(image, np.array([[0, 255]], np.uint8)).tolist()
    [[[0, 0, 0, 0], [80, 80, 80, 255]]]
    """
    image = np.ascontiguousarray(as_array("image", image, ndim=3, dtype=np.uint8))
    alpha = np.ascontiguousarray(as_array("alpha", alpha, ndim=2, dtype=np.uint8))
    height, width = alpha.shape
    check_shape("image", image, (height, width, 3))
    result = output(out, (height, width, 4), np.uint8)
    if result.size == 0:
        return result
    call(
        "cut_out",
        [image, alpha],
        [result],
        {"estimate": int(estimate_foreground), "keep_hidden": int(keep_hidden)},
        threads=threads,
        isa=isa,
    )
    return result
