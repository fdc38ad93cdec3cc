"""Reductions over any axes, and running sums."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from pyhades.arguments import one_of
from pyhades.errors import ArgumentError
from pyhades.kernels.arguments import Array, as_array, call, output

Reduction = Literal[
    "sum",
    "mean",
    "max",
    "min",
    "prod",
    "l1",
    "l2",
    "log_sum",
    "log_sum_exp",
    "sum_square",
]


def reduce(
    x: ArrayLike,
    function: Reduction,
    axes: int | Sequence[int] | None = None,
    *,
    keepdims: bool = False,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """Reduce ``x`` over ``axes`` (None: all), in an order that does not depend on the threads.

    Parameters
    ----------
    x
        float32, any shape and strides.
    function
        ``"sum"``, ``"mean"``, ``"max"``, ``"min"``, ``"prod"``, ``"l1"``, ``"l2"``, ``"log_sum"``,
        ``"log_sum_exp"`` or ``"sum_square"``.
    axes
        One axis or several; negative ones count from the end.
    keepdims
        Keep reduced axes with extent 1.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        float32, without the reduced axes unless ``keepdims``.

    Raises
    ------
    ArgumentError
        If the function or an axis does not exist.

    Examples
    --------
    >>> reduce([[1.0, 2.0], [3.0, 4.0]], "sum", axes=0)
    array([4., 6.], dtype=float32)
    """
    one_of("function", function, Reduction)
    x = as_array("x", x)
    reduced = _axes(axes, x.ndim)
    kept = tuple(1 if axis in reduced else extent for axis, extent in enumerate(x.shape))
    shape = kept if keepdims else tuple(np.delete(x.shape, reduced).tolist())
    result = output(out, shape)
    attributes: dict[str, Any] = {"function": function, "axes": reduced}
    y = result.reshape(kept)
    call("reduce", [x], [y], attributes, threads=threads, isa=isa)
    return result


def argmax(
    x: ArrayLike,
    axis: int = -1,
    *,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """Index (int64) of the largest element along ``axis``, the first of equals.

    Parameters
    ----------
    x
        float32, any shape and strides.
    axis
        The axis to search; negative ones count from the end.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        int64, without that axis.

    Raises
    ------
    ArgumentError
        If the axis does not exist or has no elements.
    ArgumentTypeError
        If ``x`` is not float32.

    Examples
    --------
    >>> argmax([[1.0, 3.0, 2.0]])
    array([1])
    """
    return _arg_reduce("argmax", x, axis, out, threads, isa)


def argmin(
    x: ArrayLike,
    axis: int = -1,
    *,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """Index (int64) of the smallest element along ``axis``, the first of equals.

    Parameters
    ----------
    x
        float32, any shape and strides.
    axis
        The axis to search; negative ones count from the end.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        int64, without that axis.

    Raises
    ------
    ArgumentError
        If the axis does not exist or has no elements.
    ArgumentTypeError
        If ``x`` is not float32.

    Examples
    --------
    >>> argmin([[2.0, 1.0, 3.0]])
    array([1])
    """
    return _arg_reduce("argmin", x, axis, out, threads, isa)


def cumsum(
    x: ArrayLike,
    axis: int = -1,
    *,
    exclusive: bool = False,
    reverse: bool = False,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """Running sum along ``axis``; ``exclusive`` leaves each element itself out.

    Parameters
    ----------
    x
        float32, any shape and strides.
    axis
        The axis to sum along; negative ones count from the end.
    exclusive
        Leave each element out of its own sum.
    reverse
        Sum from the end.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        float32, the shape of ``x``.

    Raises
    ------
    ArgumentError
        If the axis does not exist, or ``out`` does not fit.
    ArgumentTypeError
        If ``x`` is not float32.

    Examples
    --------
    >>> cumsum([1.0, 2.0, 3.0])
    array([1., 3., 6.], dtype=float32)
    """
    x = as_array("x", x)
    (axis,) = _axes(axis, x.ndim)
    result = output(out, x.shape)
    attributes = {"axis": axis, "exclusive": int(exclusive), "reverse": int(reverse)}
    call("cumsum", [x], [result], attributes, threads=threads, isa=isa)
    return result


def _arg_reduce(
    function: str,
    x: ArrayLike,
    axis: int,
    out: Array | None,
    threads: int | None,
    isa: str | None,
) -> Array:
    x = as_array("x", x)
    (axis,) = _axes(axis, x.ndim)
    kept = tuple(1 if i == axis else extent for i, extent in enumerate(x.shape))
    result = output(out, tuple(np.delete(x.shape, axis).tolist()), np.int64)
    attributes: dict[str, Any] = {"function": function, "axis": axis, "select_last_index": 0}
    y = result.reshape(kept)
    call("arg_reduce", [x], [y], attributes, threads=threads, isa=isa)
    return result


def _axes(axes: int | Sequence[int] | None, rank: int) -> list[int]:
    if axes is None:
        return list(range(rank))
    wanted = [axes] if isinstance(axes, int) else list(axes)
    for axis in wanted:
        if not -rank <= axis < rank:
            raise ArgumentError(f"axis {axis} is outside an array of {rank} axes")
    return sorted({axis % rank for axis in wanted})
