"""Element-wise functions of every dtype: what networks compute on integers, halves and bools."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from pyhades.arguments import one_of
from pyhades.dtypes import as_dtype
from pyhades.kernels.arguments import Array, as_array, call, output
from pyhades.kernels.pointwise import broadcast
from pyhades.numerics.functions import FUNCTIONS

_BOTH = {
    arrays: tuple(
        name for name, row in FUNCTIONS.items() if row.arrays == arrays and not row.parameters
    )
    for arrays in (1, 2)
}
UNARY, BINARY = _BOTH[1], _BOTH[2]
"""Names of the functions of one and of two arrays."""


def unary(
    x: ArrayLike,
    function: str,
    *,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """Apply a function of one array of any dtype.

    Parameters
    ----------
    x
        Any dtype that has the function, any shape and strides.
    function
        For all numbers copy, abs, neg, sign, square, relu; for bool not; for integers bitwise_not;
        for floats is_nan, is_inf, is_positive_inf, is_negative_inf, floor, ceil, round (half to
        even), sqrt, reciprocal, exp, log, erf, sin, cos, tan, asin, acos, atan, sinh, cosh, tanh,
        asinh, acosh, atanh, sigmoid, silu, gelu_erf, gelu_tanh, hard_swish, mish, softplus,
        softsign, round_float16, round_bfloat16 (to the nearest number of that type, float64 by
        way of float32).
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        The shape and dtype of ``x``; bool for functions whose names begin with ``is_``.

    Raises
    ------
    ArgumentError
        If the function does not exist, or not for this dtype, or ``out`` does not fit.
    ArgumentTypeError
        If the dtype is none of :data:`pyhades.dtypes.DTYPES`.

    Examples
    --------
    >>> unary(np.array([-3, 2], np.int8), "abs")
    array([3, 2], dtype=int8)
    """
    one_of("function", function, UNARY)
    x = np.asarray(x) if isinstance(x, np.ndarray) else as_array("x", x)
    result = output(out, x.shape, _result_dtype(function, x))
    call("unary", [x], [result], {"function": function}, threads=threads, isa=isa)
    return result


def binary(
    a: ArrayLike,
    b: ArrayLike,
    function: str,
    *,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """Apply a function of two arrays of one dtype, broadcast as NumPy does.

    Integers wrap around; their ``div`` rounds towards zero and gives zero where ``b`` is zero.

    Parameters
    ----------
    a, b
        One dtype that has the function, any strides.
    function
        For all numbers add, sub, mul, div, mod (the sign of ``b``), fmod (the sign of ``a``), pow;
        for every dtype min, max, equal, less, less_equal, greater, greater_equal; for bool and, or,
        xor; for integers bitwise_and, bitwise_or, bitwise_xor, shift_left, shift_right.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        The shape that ``a`` and ``b`` broadcast to; bool for comparisons, else their dtype.

    Raises
    ------
    ArgumentError
        If the shapes do not broadcast, the function does not exist, or not for this dtype, or
        ``out`` does not fit.
    ArgumentTypeError
        If the dtypes differ or are none of :data:`pyhades.dtypes.DTYPES`.

    Examples
    --------
    >>> binary(np.array([7, -7]), np.array([2]), "div")
    array([ 3, -3])
    """
    one_of("function", function, BINARY)
    a, b = broadcast(_of_one_dtype({"a": a, "b": b}))
    result = output(out, a.shape, _result_dtype(function, a))
    call("binary", [a, b], [result], {"function": function}, threads=threads, isa=isa)
    return result


def where(
    condition: ArrayLike,
    a: ArrayLike,
    b: ArrayLike,
    *,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """Take from ``a`` where ``condition`` is true, else from ``b``; all broadcast as NumPy does.

    Parameters
    ----------
    condition
        bool, any strides.
    a, b
        One dtype, any strides.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        The dtype of ``a`` and ``b``, the shape that all three broadcast to.

    Raises
    ------
    ArgumentError
        If the shapes do not broadcast, or ``out`` does not fit.
    ArgumentTypeError
        If ``condition`` is not bool, or the dtypes of ``a`` and ``b`` differ.

    Examples
    --------
    >>> where([True, False], np.array([1, 2]), np.array([-1]))
    array([ 1, -1])
    """
    arrays = {"condition": as_array("condition", condition, dtype=np.bool_)}
    inputs = broadcast(arrays | _of_one_dtype({"a": a, "b": b}))
    result = output(out, inputs[0].shape, inputs[1].dtype)
    call("select", inputs, [result], {}, threads=threads, isa=isa)
    return result


def cast(
    x: ArrayLike,
    dtype: DTypeLike,
    *,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """Convert the elements of an array to another dtype.

    Floats become integers by truncation, and bools by comparison with zero. Integers wrap
    around, as do floats, by way of int64.

    Parameters
    ----------
    x
        Any dtype, any shape and strides.
    dtype
        Any dtype of :data:`pyhades.dtypes.DTYPES`.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        ``dtype``, the shape of ``x``.

    Raises
    ------
    ArgumentError
        If ``out`` does not fit.
    ArgumentTypeError
        If a dtype is none of :data:`pyhades.dtypes.DTYPES`.

    Examples
    --------
    >>> cast(np.array([-1.5, 2.9], np.float32), np.int32)
    array([-1,  2], dtype=int32)
    """
    x = np.asarray(x)
    result = output(out, x.shape, as_dtype(dtype))
    call("cast", [x], [result], {}, threads=threads, isa=isa)
    return result


def _result_dtype(function: str, x: Array) -> np.dtype[Any]:
    return np.dtype(np.bool_) if FUNCTIONS[function].is_predicate else x.dtype


def _of_one_dtype(values: dict[str, ArrayLike]) -> dict[str, Array]:
    """Arrays as they are; numbers and lists in the dtype of the first array, or float32."""
    given = [value.dtype for value in values.values() if isinstance(value, np.ndarray)]
    dtype = given[0] if given else np.dtype(np.float32)
    return {name: as_array(name, value, dtype=dtype) for name, value in values.items()}
