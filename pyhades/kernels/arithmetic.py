"""Arithmetic of two float32 arrays, broadcast as NumPy does."""

from __future__ import annotations

from numpy.typing import ArrayLike

from pyhades.kernels.arguments import Array
from pyhades.kernels.pointwise import Isa, Threads, computes, map_arrays


@computes("add")
def add(
    a: ArrayLike,
    b: ArrayLike,
    *,
    out: Array | None = None,
    threads: Threads = None,
    isa: Isa = None,
) -> Array:
    """``a + b``.

    Examples
    --------
    >>> add([[1.0], [2.0]], [10.0, 20.0])
    array([[11., 21.],
           [12., 22.]], dtype=float32)
    """
    return map_arrays("add", {"a": a, "b": b}, (), out, threads, isa)


@computes("sub")
def subtract(
    a: ArrayLike,
    b: ArrayLike,
    *,
    out: Array | None = None,
    threads: Threads = None,
    isa: Isa = None,
) -> Array:
    """``a - b``.

    Examples
    --------
    >>> subtract([3.0, 5.0], [1.0, 2.0])
    array([2., 3.], dtype=float32)
    """
    return map_arrays("sub", {"a": a, "b": b}, (), out, threads, isa)


@computes("mul")
def multiply(
    a: ArrayLike,
    b: ArrayLike,
    *,
    out: Array | None = None,
    threads: Threads = None,
    isa: Isa = None,
) -> Array:
    """``a * b``.

    Examples
    --------
    >>> multiply([3.0, 5.0], [2.0])
    array([ 6., 10.], dtype=float32)
    """
    return map_arrays("mul", {"a": a, "b": b}, (), out, threads, isa)


@computes("div")
def divide(
    a: ArrayLike,
    b: ArrayLike,
    *,
    out: Array | None = None,
    threads: Threads = None,
    isa: Isa = None,
) -> Array:
    """``a / b``.

    Examples
    --------
    >>> divide([3.0, 5.0], [2.0])
    array([1.5, 2.5], dtype=float32)
    """
    return map_arrays("div", {"a": a, "b": b}, (), out, threads, isa)


@computes("min")
def minimum(
    a: ArrayLike,
    b: ArrayLike,
    *,
    out: Array | None = None,
    threads: Threads = None,
    isa: Isa = None,
) -> Array:
    """The smaller of ``a`` and ``b``; NaN if either is.

    Examples
    --------
    >>> minimum([1.0, 4.0], [3.0, 2.0])
    array([1., 2.], dtype=float32)
    """
    return map_arrays("min", {"a": a, "b": b}, (), out, threads, isa)


@computes("max")
def maximum(
    a: ArrayLike,
    b: ArrayLike,
    *,
    out: Array | None = None,
    threads: Threads = None,
    isa: Isa = None,
) -> Array:
    """The larger of ``a`` and ``b``; NaN if either is.

    Examples
    --------
    >>> maximum([1.0, 4.0], [3.0, 2.0])
    array([3., 4.], dtype=float32)
    """
    return map_arrays("max", {"a": a, "b": b}, (), out, threads, isa)


@computes("pow")
def power(
    a: ArrayLike,
    b: ArrayLike,
    *,
    out: Array | None = None,
    threads: Threads = None,
    isa: Isa = None,
) -> Array:
    """``a`` to the power of ``b``; NaN for a negative ``a`` and a ``b`` that is no whole number.

    Examples
    --------
    >>> power([2.0, 3.0], [2.0])
    array([4., 9.], dtype=float32)
    """
    return map_arrays("pow", {"a": a, "b": b}, (), out, threads, isa)
