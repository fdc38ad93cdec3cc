"""Tokens from logits."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pyhades.errors import ArgumentError
from pyhades.kernels.arguments import Array, as_array, call, output


def sample(
    logits: ArrayLike,
    temperature: ArrayLike = 1.0,
    uniform: ArrayLike = 0.0,
    *,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """One index per row, each with the probability that the softmax gives it.

    Nothing is sorted: the index is where the cumulated weights exceed a share of their sum.

    Parameters
    ----------
    logits
        float32 ``[m, n]``; NaN counts as minus infinity.
    temperature
        What the logits are divided by, one number or float32 ``[m]``; 0 takes the largest, of
        equals the first.
    uniform
        Random numbers in ``[0, 1)``, one or float64 ``[m]``.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        int32 ``[m]``; a row does not depend on the others, nor on threads.

    Raises
    ------
    ArgumentError
        A number is out of range, or there is nothing to choose from.

    Examples
    --------
    >>> sample(np.float32([[0, 3, 1]]), uniform=0.5)
    array([1], dtype=int32)
    """
    rows = as_array("logits", logits, ndim=2)
    if rows.shape[1] == 0:
        raise ArgumentError("logits has no columns; there is nothing to choose from")
    temperatures = np.ascontiguousarray(np.broadcast_to(temperature, len(rows)), np.float32)
    uniforms = np.ascontiguousarray(np.broadcast_to(uniform, len(rows)), np.float64)
    if not np.all(np.isfinite(temperatures) & (temperatures >= 0)):
        raise ArgumentError(f"temperature={temperature!r} must be 0 or more, and finite")
    if not np.all((uniforms >= 0) & (uniforms < 1)):
        raise ArgumentError(f"uniform={uniform!r} must lie in [0, 1)")
    tokens = output(out, (len(rows),), np.int32)
    call("sample", [rows, temperatures, uniforms], [tokens], {}, threads=threads, isa=isa)
    return tokens
