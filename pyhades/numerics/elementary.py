"""Elementary functions that NumPy lacks."""

from __future__ import annotations

import math

import numpy as np

from pyhades.numerics.array import Array
from pyhades.quant.bf16 import from_bf16, to_bf16

_erf = np.vectorize(math.erf, otypes=[np.float64])
_erfc = np.vectorize(math.erfc, otypes=[np.float64])


def erf(x: Array) -> Array:
    """Error function, rounded once to the dtype of ``x``."""
    return np.asarray(_erf(x)).astype(x.dtype, copy=False) if x.size else x.copy()


def erfc(x: Array) -> Array:
    """1 - erf(x) without cancellation, rounded once to the dtype of ``x``."""
    return np.asarray(_erfc(x)).astype(x.dtype, copy=False) if x.size else x.copy()


def is_infinite(x: Array, positive: bool, negative: bool) -> Array:
    """Whether x is an infinity of a sign that counts."""
    return np.asarray((np.isposinf(x) & positive) | (np.isneginf(x) & negative))


def round_bfloat16(x: Array) -> Array:
    """The nearest number of bfloat16, ties to even, in the dtype of x; float64 by way of float32.

    Examples
    --------
    >>> round_bfloat16(np.float32([1 / 3, 257])).tolist()
    [0.333984375, 256.0]
    """
    return from_bf16(to_bf16(x)).astype(x.dtype, copy=False)


def round_float16(x: Array) -> Array:
    """The number of float16 that is nearest, ties to even, in the dtype of ``x``.

    Examples
    --------
    >>> round_float16(np.float32([1 / 3, 65519, 65520])).tolist()
    [0.333251953125, 65504.0, inf]
    """
    with np.errstate(over="ignore"):
        return x.astype(np.float16).astype(x.dtype)
