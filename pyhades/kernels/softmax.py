"""Softmax and its logarithm over the last axis."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pyhades.errors import ArgumentError
from pyhades.kernels.arguments import Array, as_array, call, check_how, output


def softmax(
    x: ArrayLike,
    *,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """``exp(x - max(x)) / sum(exp(x - max(x)))`` over the last axis.

    Parameters
    ----------
    x
        float32 ``[..., n]``. A row of nothing but -inf gives zeros.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        float32, the shape of ``x``.

    Raises
    ------
    ArgumentError
        If ``x`` is a scalar.

    Examples
    --------
    >>> softmax([[0.0, 0.0]])
    array([[0.5, 0.5]], dtype=float32)
    """
    return _softmax(x, False, out, threads, isa)


def log_softmax(
    x: ArrayLike,
    *,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """``x - max(x) - log(sum(exp(x - max(x))))`` over the last axis.

    Parameters
    ----------
    x
        float32 ``[..., n]``.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        float32, the shape of ``x``.

    Raises
    ------
    ArgumentError
        If ``x`` is a scalar.

    Examples
    --------
    >>> log_softmax([[0.0, 0.0]]).round(4)
    array([[-0.6931, -0.6931]], dtype=float32)
    """
    return _softmax(x, True, out, threads, isa)


def _softmax(
    x: ArrayLike, log: bool, out: Array | None, threads: int | None, isa: str | None
) -> Array:
    array = as_array("x", x)
    if array.ndim == 0:
        raise ArgumentError("x is a scalar; it needs at least one axis")
    result = output(out, array.shape)
    if result.size == 0:
        check_how(threads, isa)
        return result
    n = array.shape[-1]
    rows, y = np.ascontiguousarray(array).reshape(-1, n), result.reshape(-1, n)
    call("softmax", [rows], [y], {"log": int(log)}, threads=threads, isa=isa)
    return result
