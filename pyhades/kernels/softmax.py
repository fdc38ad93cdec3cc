"""Softmax over the last axis."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pyhades import _native
from pyhades.kernels.arguments import Array, as_array, output


def softmax(
    x: ArrayLike,
    *,
    log: bool = False,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """``exp(x - max(x)) / sum(exp(x - max(x)))`` over the last axis.

    Parameters
    ----------
    x
        float32 ``[..., n]``. A row of nothing but -inf gives zeros.
    log
        Return the logarithm instead.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        float32, the shape of ``x``.

    Examples
    --------
    >>> softmax([[0.0, 0.0]])
    array([[0.5, 0.5]], dtype=float32)
    """
    x = np.ascontiguousarray(as_array("x", x))
    result = output(out, x.shape)
    n = x.shape[-1]
    rows, y = x.reshape(-1, n), result.reshape(-1, n)
    _native.call("softmax", [rows], [y], {"log": int(log)}, threads=threads, isa=isa)
    return result
