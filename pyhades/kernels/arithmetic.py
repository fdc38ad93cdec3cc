"""Arithmetic of two float32 arrays, broadcast as NumPy does."""

from __future__ import annotations

from numpy.typing import ArrayLike

from pyhades.kernels.arguments import Array
from pyhades.kernels.pointwise import Isa, Threads, map_arrays


def add(
    a: ArrayLike,
    b: ArrayLike,
    *,
    out: Array | None = None,
    threads: Threads = None,
    isa: Isa = None,
) -> Array:
    """``a + b``.

    Parameters
    ----------
    a, b
        float32, any strides, broadcast as NumPy does.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        float32, the shape that ``a`` and ``b`` broadcast to.

    Raises
    ------
    ArgumentError
        If the shapes do not broadcast, or ``out`` does not fit.
    ArgumentTypeError
        If an array is not float32.

    Examples
    --------
    >>> add([[1.0], [2.0]], [10.0, 20.0])
    array([[11., 21.],
           [12., 22.]], dtype=float32)
    """
    return map_arrays("add", {"a": a, "b": b}, (), out, threads, isa)


def subtract(
    a: ArrayLike,
    b: ArrayLike,
    *,
    out: Array | None = None,
    threads: Threads = None,
    isa: Isa = None,
) -> Array:
    """``a - b``.

    Parameters
    ----------
    a, b
        float32, any strides, broadcast as NumPy does.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        float32, the shape that ``a`` and ``b`` broadcast to.

    Raises
    ------
    ArgumentError
        If the shapes do not broadcast, or ``out`` does not fit.
    ArgumentTypeError
        If an array is not float32.

    Examples
    --------
    >>> subtract([3.0, 5.0], [1.0, 2.0])
    array([2., 3.], dtype=float32)
    """
    return map_arrays("sub", {"a": a, "b": b}, (), out, threads, isa)


def multiply(
    a: ArrayLike,
    b: ArrayLike,
    *,
    out: Array | None = None,
    threads: Threads = None,
    isa: Isa = None,
) -> Array:
    """``a * b``.

    Parameters
    ----------
    a, b
        float32, any strides, broadcast as NumPy does.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        float32, the shape that ``a`` and ``b`` broadcast to.

    Raises
    ------
    ArgumentError
        If the shapes do not broadcast, or ``out`` does not fit.
    ArgumentTypeError
        If an array is not float32.

    Examples
    --------
    >>> multiply([3.0, 5.0], [2.0])
    array([ 6., 10.], dtype=float32)
    """
    return map_arrays("mul", {"a": a, "b": b}, (), out, threads, isa)


def divide(
    a: ArrayLike,
    b: ArrayLike,
    *,
    out: Array | None = None,
    threads: Threads = None,
    isa: Isa = None,
) -> Array:
    """``a / b``.

    Parameters
    ----------
    a, b
        float32, any strides, broadcast as NumPy does.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        float32, the shape that ``a`` and ``b`` broadcast to.

    Raises
    ------
    ArgumentError
        If the shapes do not broadcast, or ``out`` does not fit.
    ArgumentTypeError
        If an array is not float32.

    Examples
    --------
    >>> divide([3.0, 5.0], [2.0])
    array([1.5, 2.5], dtype=float32)
    """
    return map_arrays("div", {"a": a, "b": b}, (), out, threads, isa)


def minimum(
    a: ArrayLike,
    b: ArrayLike,
    *,
    out: Array | None = None,
    threads: Threads = None,
    isa: Isa = None,
) -> Array:
    """The smaller of ``a`` and ``b``; NaN if either is.

    Parameters
    ----------
    a, b
        float32, any strides, broadcast as NumPy does.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        float32, the shape that ``a`` and ``b`` broadcast to.

    Raises
    ------
    ArgumentError
        If the shapes do not broadcast, or ``out`` does not fit.
    ArgumentTypeError
        If an array is not float32.

    Examples
    --------
    >>> minimum([1.0, 4.0], [3.0, 2.0])
    array([1., 2.], dtype=float32)
    """
    return map_arrays("min", {"a": a, "b": b}, (), out, threads, isa)


def maximum(
    a: ArrayLike,
    b: ArrayLike,
    *,
    out: Array | None = None,
    threads: Threads = None,
    isa: Isa = None,
) -> Array:
    """The larger of ``a`` and ``b``; NaN if either is.

    Parameters
    ----------
    a, b
        float32, any strides, broadcast as NumPy does.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        float32, the shape that ``a`` and ``b`` broadcast to.

    Raises
    ------
    ArgumentError
        If the shapes do not broadcast, or ``out`` does not fit.
    ArgumentTypeError
        If an array is not float32.

    Examples
    --------
    >>> maximum([1.0, 4.0], [3.0, 2.0])
    array([3., 4.], dtype=float32)
    """
    return map_arrays("max", {"a": a, "b": b}, (), out, threads, isa)


def power(
    a: ArrayLike,
    b: ArrayLike,
    *,
    out: Array | None = None,
    threads: Threads = None,
    isa: Isa = None,
) -> Array:
    """``a`` to the power of ``b``; NaN for a negative ``a`` and a ``b`` that is no whole number.

    Parameters
    ----------
    a, b
        float32, any strides, broadcast as NumPy does.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        float32, the shape that ``a`` and ``b`` broadcast to.

    Raises
    ------
    ArgumentError
        If the shapes do not broadcast, or ``out`` does not fit.
    ArgumentTypeError
        If an array is not float32.

    Examples
    --------
    >>> power([2.0, 3.0], [2.0])
    array([4., 9.], dtype=float32)
    """
    return map_arrays("pow", {"a": a, "b": b}, (), out, threads, isa)
