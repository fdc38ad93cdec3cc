"""Arithmetic of two arrays; integers wrap around and never trap."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pyhades.numerics.array import Array


def divide(a: Array, b: Array) -> Array:
    """Quotient; integers are truncated towards zero, exactly, and x / 0 is 0."""
    if np.asarray(a).dtype.kind not in "iu":
        return np.asarray(np.divide(a, b))
    floored = np.floor_divide(a, b)
    inexact = (floored < 0) & (floored * b != a) & (b != 0)
    return np.asarray(floored + inexact.astype(a.dtype))


def power(a: Array, b: Array) -> Array:
    """a**b in the dtype of a; integers wrap around.

    A negative whole exponent gives the truncated quotient: 0, but for the bases 1 and -1.
    """
    if a.dtype.kind not in "iu":
        return np.asarray(np.power(a, np.asarray(b, a.dtype)))
    if b.dtype.kind == "f":
        return np.power(a.astype(np.float64), b).astype(a.dtype)
    whole = np.power(a, np.maximum(b, b.dtype.type(0)).astype(a.dtype))
    of_minus_one = np.where(b % 2 == 0, 1, -1).astype(a.dtype)
    quotient = np.where(a == 1, 1, np.where((a < 0) & (a + 1 == 0), of_minus_one, 0))
    return np.where(b < 0, quotient.astype(a.dtype), whole)


def shift_left(a: Array, b: Array) -> Array:
    """A * 2**b; an amount outside [0, bits) shifts everything out."""
    return _shift(np.left_shift, a, b, np.zeros_like(a))


def shift_right(a: Array, b: Array) -> Array:
    """``floor(a / 2**b)``; an amount outside [0, bits) leaves the sign."""
    return _shift(np.right_shift, a, b, np.where(a < 0, -1, 0).astype(a.dtype))


def _shift(function: Callable[..., Any], a: Array, b: Array, beyond: Array) -> Array:
    inside = (b >= 0) & (b < 8 * a.itemsize)
    amount = np.where(inside, b, b.dtype.type(0)).astype(a.dtype)
    return np.where(inside, function(a, amount), beyond)


def multiply_add(a: Array, b: Array, c: Array) -> Array:
    """``a * b + c``, the product being rounded."""
    return np.asarray(a * b + c)


def cast(x: Array, dtype: Any) -> Array:
    """Convert; bool is "not zero", floats to integers are truncated towards zero."""
    with np.errstate(all="ignore"):
        return np.asarray(x != 0) if np.dtype(dtype) == np.bool_ else x.astype(dtype)
