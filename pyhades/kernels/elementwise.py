"""Elementary functions of float32 arrays, as one-step pointwise programs."""

from __future__ import annotations

from numpy.typing import ArrayLike

from pyhades.kernels.arguments import Array
from pyhades.kernels.pointwise import Isa, Threads, computes, map_arrays


@computes("erf")
def erf(
    x: ArrayLike, *, out: Array | None = None, threads: Threads = None, isa: Isa = None
) -> Array:
    """Error function.

    Examples
    --------
    >>> erf([0.0, 1.0]).round(4)
    array([0.    , 0.8427], dtype=float32)
    """
    return map_arrays("erf", {"x": x}, (), out, threads, isa)


@computes("exp")
def exp(
    x: ArrayLike, *, out: Array | None = None, threads: Threads = None, isa: Isa = None
) -> Array:
    """Exponential; results below the smallest normal number are zero.

    Examples
    --------
    >>> exp([0.0, 1.0]).round(4)
    array([1.    , 2.7183], dtype=float32)
    """
    return map_arrays("exp", {"x": x}, (), out, threads, isa)


@computes("log")
def log(
    x: ArrayLike, *, out: Array | None = None, threads: Threads = None, isa: Isa = None
) -> Array:
    """Natural logarithm; NaN below zero.

    Examples
    --------
    >>> log([1.0, 2.0]).round(4)
    array([0.    , 0.6931], dtype=float32)
    """
    return map_arrays("log", {"x": x}, (), out, threads, isa)


@computes("sqrt")
def sqrt(
    x: ArrayLike, *, out: Array | None = None, threads: Threads = None, isa: Isa = None
) -> Array:
    """Square root; NaN below zero.

    Examples
    --------
    >>> sqrt([1.0, 4.0])
    array([1., 2.], dtype=float32)
    """
    return map_arrays("sqrt", {"x": x}, (), out, threads, isa)


@computes("clip")
def clip(
    x: ArrayLike,
    lower: float,
    upper: float,
    *,
    out: Array | None = None,
    threads: Threads = None,
    isa: Isa = None,
) -> Array:
    """``min(max(x, lower), upper)``.

    Examples
    --------
    >>> clip([-2.0, 0.5, 2.0], -1.0, 1.0)
    array([-1. ,  0.5,  1. ], dtype=float32)
    """
    return map_arrays("clip", {"x": x}, (lower, upper), out, threads, isa)
