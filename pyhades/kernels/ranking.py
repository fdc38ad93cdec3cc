"""The first elements along an axis, in order."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pyhades.errors import ArgumentError
from pyhades.kernels.arguments import Array, call


def rank(
    x: ArrayLike,
    k: int,
    axis: int = -1,
    *,
    largest: bool = True,
    threads: int | None = None,
    isa: str | None = None,
) -> tuple[Array, Array]:
    """The k largest or smallest elements along ``axis``, in order, and where they were.

    Of equals, the first comes first; no number counts as larger than any.

    Parameters
    ----------
    x
        Any dtype, shape and strides.
    k
        How many; at most the extent of the axis.
    axis
        The axis to rank along; negative ones count from the end.
    largest
        Whether the largest come first, or the smallest.
    threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    values : ndarray
        The dtype and shape of ``x``, with extent ``k`` along the axis.
    positions : ndarray
        int64, the same shape.

    Raises
    ------
    ArgumentError
        If the axis does not exist, or has less than ``k`` elements.

    Examples
    --------
    >>> rank(np.float32([1, 4, 2, 4]), 3)
    (array([4., 4., 2.], dtype=float32), array([1, 3, 2]))
    """
    x = np.asarray(x)
    if not -x.ndim <= axis < x.ndim:
        raise ArgumentError(f"axis {axis} is outside an array of {x.ndim} axes")
    axis %= x.ndim
    if not 0 <= k <= x.shape[axis]:
        raise ArgumentError(f"k={k}: there are {x.shape[axis]} elements along axis {axis}")
    shape = tuple(k if i == axis else extent for i, extent in enumerate(x.shape))
    values, positions = np.empty(shape, x.dtype), np.empty(shape, np.int64)
    attributes = {"axis": axis, "largest": int(largest)}
    call("rank", [x], [values, positions], attributes, threads=threads, isa=isa)
    return values, positions
