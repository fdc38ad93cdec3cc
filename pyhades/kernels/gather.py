"""Reading and writing elements at positions that are data.

Indices count from the end where they are negative, and are checked: here they are known when the
kernel is bound, so that one outside raises. Inside a Program whose indices are computed, a position
outside reads zeros and writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from pyhades.arguments import one_of
from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.kernels.arguments import Array, call, output

Reduction = Literal["none", "add", "mul", "max", "min"]


def gather(
    x: ArrayLike,
    indices: ArrayLike,
    axis: int = 0,
    *,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """Take slices along an axis, ``np.take(x, indices, axis)``.

    Parameters
    ----------
    x
        Any dtype, any strides.
    indices
        int32 or int64 of any shape.
    axis
        The axis of ``x`` that is indexed.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        ``x.shape`` with extent ``axis`` replaced by ``indices.shape``.

    Raises
    ------
    ArgumentError
        If an index is out of range.

    Examples
    --------
    >>> gather(np.array([[1, 2], [3, 4], [5, 6]]), [2, -3])
    array([[5, 6],
           [1, 2]])
    """
    x, indices = np.asarray(x), _indices(indices)
    axis = _axis(axis, x.ndim)
    shape = (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])
    return _run("gather", [x, indices], shape, {"axis": axis}, out, threads, isa)


def gather_elements(
    x: ArrayLike,
    indices: ArrayLike,
    axis: int = 0,
    *,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """Take one element per index, ``np.take_along_axis(x, indices, axis)``.

    Parameters
    ----------
    x
        Any dtype, any strides.
    indices
        int32 or int64 with the rank of ``x``; along other axes than ``axis`` it may be shorter.
    axis
        The axis of ``x`` that is indexed.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        The shape of ``indices``.

    Raises
    ------
    ArgumentError
        If shapes do not fit or an index is out of range.

    Examples
    --------
    >>> gather_elements(np.array([[1, 2], [3, 4]]), [[0, 0], [1, 0]], axis=1)
    array([[1, 1],
           [4, 3]])
    """
    x, indices = np.asarray(x), _indices(indices)
    attributes = {"axis": _axis(axis, x.ndim)}
    return _run("gather_elements", [x, indices], indices.shape, attributes, out, threads, isa)


def gather_nd(
    x: ArrayLike,
    indices: ArrayLike,
    batch_dims: int = 0,
    *,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """Take slices at index tuples, ``x[tuple]`` for every tuple in the last axis of ``indices``.

    Parameters
    ----------
    x
        Any dtype, any strides.
    indices
        int32 or int64 ``[..., k]`` with ``k <= x.ndim - batch_dims``.
    batch_dims
        How many leading axes ``x`` and ``indices`` have in common.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        ``indices.shape[:-1] + x.shape[batch_dims + k:]``.

    Raises
    ------
    ArgumentError
        If shapes do not fit or an index is out of range.

    Examples
    --------
    >>> gather_nd(np.array([[1, 2], [3, 4]]), [[0, 1], [1, 0]])
    array([2, 3])
    """
    x, indices = np.asarray(x), _indices(indices)
    if indices.ndim == 0:
        raise ArgumentError("indices is a scalar, expected [..., k]")
    shape = (*indices.shape[:-1], *x.shape[batch_dims + indices.shape[-1] :])
    attributes = {"batch_dims": int(batch_dims)}
    return _run("gather_nd", [x, indices], shape, attributes, out, threads, isa)


def scatter_elements(
    x: ArrayLike,
    indices: ArrayLike,
    updates: ArrayLike,
    axis: int = 0,
    reduction: Reduction = "none",
    *,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """Copy ``x`` and write one element per index, the inverse of :func:`gather_elements`.

    Parameters
    ----------
    x
        Any dtype (float32, float64, int8, uint8, int32, int64 for a reduction), any strides.
    indices
        int32 or int64 with the rank of ``x``.
    updates
        The dtype of ``x`` and the shape of ``indices``.
    axis
        The axis of ``x`` that is indexed.
    reduction
        What to do with the element that is there: replace it (the last update wins) or combine.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        The shape of ``x``.

    Raises
    ------
    ArgumentError
        If shapes or dtypes do not fit or an index is out of range.

    Examples
    --------
    >>> scatter_elements(np.zeros(4), [1, 3, 1], np.array([5.0, 6.0, 7.0]), reduction="add")
    array([ 0., 12.,  0.,  6.])
    """
    one_of("reduction", reduction, Reduction)
    x, indices, updates = np.asarray(x), _indices(indices), np.asarray(updates)
    attributes = {"axis": _axis(axis, x.ndim), "reduction": reduction}
    inputs = [x, indices, updates]
    return _run("scatter_elements", inputs, x.shape, attributes, out, threads, isa)


def scatter_nd(
    x: ArrayLike,
    indices: ArrayLike,
    updates: ArrayLike,
    reduction: Reduction = "none",
    *,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """Copy ``x`` and write slices at index tuples, the inverse of :func:`gather_nd`.

    Parameters
    ----------
    x
        Any dtype (float32, float64, int8, uint8, int32, int64 for a reduction), any strides.
    indices
        int32 or int64 ``[..., k]`` with ``k <= x.ndim``.
    updates
        The dtype of ``x``; ``indices.shape[:-1] + x.shape[k:]``.
    reduction
        What to do with the element that is there: replace it (the last update wins) or combine.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        The shape of ``x``.

    Raises
    ------
    ArgumentError
        If shapes or dtypes do not fit or an index is out of range.

    Examples
    --------
    >>> scatter_nd(np.zeros((2, 2)), [[1]], np.array([[5.0, 6.0]]))
    array([[0., 0.],
           [5., 6.]])
    """
    one_of("reduction", reduction, Reduction)
    x, indices, updates = np.asarray(x), _indices(indices), np.asarray(updates)
    attributes = {"reduction": reduction}
    return _run("scatter_nd", [x, indices, updates], x.shape, attributes, out, threads, isa)


def _indices(indices: ArrayLike) -> Array:
    indices = np.asarray(indices)
    if indices.size == 0 and indices.dtype.kind == "f":
        indices = indices.astype(np.int64)
    if indices.dtype not in (np.int32, np.int64):
        raise ArgumentTypeError(f"indices has dtype {indices.dtype.name}, expected int32 or int64")
    return indices


def _axis(axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        raise ArgumentError(f"axis={axis} is outside [-{rank}, {rank}), the axes of x")
    return int(axis) % rank


def _run(
    op: str,
    inputs: list[Array],
    shape: tuple[int, ...],
    attributes: Mapping[str, int | str],
    out: Array | None,
    threads: int | None,
    isa: str | None,
) -> Array:
    result = output(out, shape, inputs[0].dtype)
    call(op, inputs, [result], dict(attributes), constants=(1,), threads=threads, isa=isa)
    return result
