"""Elementary functions of float32 arrays, as one-step pointwise programs."""

from __future__ import annotations

from numpy.typing import ArrayLike

from pyhades.kernels.arguments import Array
from pyhades.kernels.pointwise import Isa, Threads, map_arrays


def erf(
    x: ArrayLike, *, out: Array | None = None, threads: Threads = None, isa: Isa = None
) -> Array:
    """Error function.

    Parameters
    ----------
    x
        float32, any shape and strides.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        float32, the shape of ``x``.

    Raises
    ------
    ArgumentError
        If ``out`` does not fit.
    ArgumentTypeError
        If ``x`` is not float32.

    Examples
    --------
    >>> erf([0.0, 1.0]).round(4)
    array([0.    , 0.8427], dtype=float32)
    """
    return map_arrays("erf", {"x": x}, (), out, threads, isa)


def exp(
    x: ArrayLike, *, out: Array | None = None, threads: Threads = None, isa: Isa = None
) -> Array:
    """Exponential; results below the smallest normal number are zero.

    Parameters
    ----------
    x
        float32, any shape and strides.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        float32, the shape of ``x``.

    Raises
    ------
    ArgumentError
        If ``out`` does not fit.
    ArgumentTypeError
        If ``x`` is not float32.

    Examples
    --------
    >>> exp([0.0, 1.0]).round(4)
    array([1.    , 2.7183], dtype=float32)
    """
    return map_arrays("exp", {"x": x}, (), out, threads, isa)


def log(
    x: ArrayLike, *, out: Array | None = None, threads: Threads = None, isa: Isa = None
) -> Array:
    """Natural logarithm; NaN below zero.

    Parameters
    ----------
    x
        float32, any shape and strides.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        float32, the shape of ``x``.

    Raises
    ------
    ArgumentError
        If ``out`` does not fit.
    ArgumentTypeError
        If ``x`` is not float32.

    Examples
    --------
    >>> log([1.0, 2.0]).round(4)
    array([0.    , 0.6931], dtype=float32)
    """
    return map_arrays("log", {"x": x}, (), out, threads, isa)


def sqrt(
    x: ArrayLike, *, out: Array | None = None, threads: Threads = None, isa: Isa = None
) -> Array:
    """Square root; NaN below zero.

    Parameters
    ----------
    x
        float32, any shape and strides.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        float32, the shape of ``x``.

    Raises
    ------
    ArgumentError
        If ``out`` does not fit.
    ArgumentTypeError
        If ``x`` is not float32.

    Examples
    --------
    >>> sqrt([1.0, 4.0])
    array([1., 2.], dtype=float32)
    """
    return map_arrays("sqrt", {"x": x}, (), out, threads, isa)


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

    Parameters
    ----------
    x
        float32, any shape and strides.
    lower
        Least result.
    upper
        Greatest result.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        float32, the shape of ``x``.

    Raises
    ------
    ArgumentError
        If ``out`` does not fit.
    ArgumentTypeError
        If ``x`` is not float32.

    Examples
    --------
    >>> clip([-2.0, 0.5, 2.0], -1.0, 1.0)
    array([-1. ,  0.5,  1. ], dtype=float32)
    """
    return map_arrays("clip", {"x": x}, (lower, upper), out, threads, isa)
