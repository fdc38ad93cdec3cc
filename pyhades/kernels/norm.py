"""Normalisation over the last axis."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pyhades import _native
from pyhades.kernels.arguments import Array, as_array, check_shape, output


def rms_norm(
    x: ArrayLike,
    weight: ArrayLike | None = None,
    eps: float = 1e-5,
    residual: ArrayLike | None = None,
    *,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """Root-mean-square normalisation, ``h / sqrt(mean(h**2) + eps) * weight`` with ``h = x + residual``.

    Parameters
    ----------
    x
        float32 ``[..., n]``.
    weight
        float32 ``[n]``, or None for ones.
    eps
        Added to the mean square.
    residual
        float32 of the shape of ``x``, added to it first.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        float32, the shape of ``x``.

    Raises
    ------
    ArgumentError
        If shapes do not fit.

    References
    ----------
    Zhang and Sennrich, "Root Mean Square Layer Normalization", 2019.

    Examples
    --------
    >>> rms_norm(np.array([[3.0, 4.0]], np.float32), eps=0.0).round(4)
    array([[0.8485, 1.1314]], dtype=float32)
    """
    x = as_array("x", x)
    n = x.shape[-1] if x.ndim else 1
    rows = np.ascontiguousarray(x).reshape(-1, n)
    if weight is not None:
        weight = np.ascontiguousarray(as_array("weight", weight, ndim=1))
        check_shape("weight", weight, (n,))
    if residual is not None:
        residual = as_array("residual", residual)
        check_shape("residual", residual, x.shape)
        residual = np.ascontiguousarray(residual).reshape(-1, n)
    result = output(out, x.shape)
    _native.call(
        "rms_norm",
        [rows, weight, residual],
        [result.reshape(-1, n)],
        {"epsilon": float(eps)},
        threads=threads,
        isa=isa,
    )
    return result
