"""Moving elements: transposing, padding, filling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from pyhades.arguments import one_of
from pyhades.dtypes import as_dtype
from pyhades.errors import ArgumentError
from pyhades.kernels.arguments import Array, call, output

PadMode = Literal["constant", "reflect", "edge", "wrap"]


def transpose(
    x: ArrayLike,
    axes: Sequence[int] | None = None,
    *,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """Permute axes into a new contiguous array.

    Parameters
    ----------
    x
        Any dtype, any strides, at most 8 axes.
    axes
        Axis ``i`` of the result is axis ``axes[i]`` of ``x``; None reverses them.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        ``x.transpose(axes)``, C-contiguous.

    Raises
    ------
    ArgumentError
        If ``axes`` is not a permutation.

    Examples
    --------
    >>> transpose(np.arange(6, dtype=np.float32).reshape(2, 3))
    array([[0., 3.],
           [1., 4.],
           [2., 5.]], dtype=float32)
    """
    x = np.asarray(x)
    order = tuple(range(x.ndim))[::-1] if axes is None else tuple(int(axis) for axis in axes)
    if sorted(axis % max(x.ndim, 1) for axis in order) != list(range(x.ndim)):
        raise ArgumentError(f"axes={order} is no permutation of the {x.ndim} axes of x")
    return copy(x.transpose(order), out=out, threads=threads, isa=isa)


def copy(
    x: ArrayLike,
    *,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """Copy a view of any strides into a contiguous array.

    Parameters
    ----------
    x
        Any dtype, any strides (slices, transposes, broadcasts), at most 8 axes.
    out, threads, isa
        See :mod:`pyhades.kernels`; here ``out`` may have any strides.

    Returns
    -------
    ndarray
        The elements of ``x``, C-contiguous unless ``out`` is given.

    Raises
    ------
    ArgumentError
        If ``out`` does not have the shape and dtype of ``x``.

    Examples
    --------
    >>> copy(np.arange(6)[::-2])
    array([5, 3, 1])
    """
    x = np.asarray(x)
    result = output(out, x.shape, x.dtype, any_strides=True)
    call("copy", [x], [result], {}, threads=threads, isa=isa)
    return result


def fill(
    shape: Sequence[int],
    value: float,
    dtype: DTypeLike = np.float32,
    *,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """Make an array whose elements are all equal.

    Parameters
    ----------
    shape
        Extents of the result.
    value
        A number; integers stay exact for integer dtypes.
    dtype
        Any dtype of :data:`pyhades.dtypes.DTYPES`.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        ``np.full(shape, value, dtype)``.

    Raises
    ------
    ArgumentError
        If an extent is negative, or ``out`` does not fit.
    ArgumentTypeError
        If there are no kernels for the dtype.

    Examples
    --------
    >>> fill((2, 2), 1.5)
    array([[1.5, 1.5],
           [1.5, 1.5]], dtype=float32)
    """
    extents = tuple(int(extent) for extent in shape)
    if min(extents, default=0) < 0:
        raise ArgumentError(f"shape={extents}: extents must not be negative")
    result = output(out, extents, as_dtype(dtype))
    call("fill", [], [result], {"value": value}, threads=threads, isa=isa)
    return result


def pad(
    x: ArrayLike,
    pads: Sequence[tuple[int, int]],
    mode: PadMode = "constant",
    value: float = 0,
    *,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """Extend (or, with negative counts, trim) an array along every axis.

    Parameters
    ----------
    x
        Any dtype, any strides, at most 8 axes.
    pads
        ``(before, after)`` per axis.
    mode
        ``"constant"`` puts ``value``; ``"edge"`` repeats the border element; ``"reflect"`` mirrors
        without repeating the border; ``"wrap"`` continues periodically.
    value
        For mode ``"constant"``.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        The dtype of ``x``.

    Raises
    ------
    ArgumentError
        If ``pads`` does not have one pair per axis or trims more than there is, or there is no such
        mode.

    Examples
    --------
    >>> pad(np.array([1, 2, 3]), [(2, 1)], mode="reflect")
    array([3, 2, 1, 2, 3, 2])
    """
    one_of("mode", mode, PadMode)
    x = np.asarray(x)
    pairs = [(int(before), int(after)) for before, after in pads]
    if len(pairs) != x.ndim:
        raise ArgumentError(f"pads has {len(pairs)} pairs, x has {x.ndim} axes")
    shape = tuple(n + sum(pair) for n, pair in zip(x.shape, pairs, strict=True))
    if min(shape, default=0) < 0:
        raise ArgumentError(f"pads={pairs} trims more than the shape {x.shape} has")
    result = output(out, shape, x.dtype)
    attributes = {
        "pads": [before for before, _ in pairs] + [after for _, after in pairs],
        "mode": mode,
        "value": value,
    }
    call("pad", [x], [result], attributes, threads=threads, isa=isa)
    return result
