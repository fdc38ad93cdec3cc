"""What all kernel wrappers have in common: checking arrays and making outputs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from pyhades import _native
from pyhades.errors import ArgumentError, ArgumentTypeError

Array = NDArray[Any]

IN_PLACE = ("map", "unary", "binary", "select", "scale_shift", "softmax")
"""Operators whose output may be the memory of an input, element upon element."""


def as_array(
    name: str, value: ArrayLike, *, ndim: int | None = None, dtype: DTypeLike = np.float32
) -> Array:
    """``value`` as an array of that dtype and rank; raises naming the argument otherwise.

    Arrays are never converted silently: a float64 array is refused where float32 is meant.
    """
    try:
        array = np.asarray(value) if isinstance(value, np.ndarray) else np.asarray(value, dtype)
    except (TypeError, ValueError) as error:
        raise ArgumentTypeError(
            f"{name} is no array of {np.dtype(dtype).name} ({error}); give a NumPy array"
        ) from None
    if array.dtype != np.dtype(dtype):
        raise ArgumentTypeError(
            f"{name} has dtype {array.dtype}, expected {np.dtype(dtype)}; "
            f"convert it with {name}.astype({np.dtype(dtype).name!r})"
        )
    if ndim is not None and array.ndim != ndim:
        raise ArgumentError(f"{name} has {array.ndim} axes (shape {array.shape}), expected {ndim}")
    return array


def check_shape(name: str, array: Array, expected: tuple[int, ...]) -> None:
    """Raise unless ``array`` has exactly that shape."""
    if array.shape != expected:
        raise ArgumentError(f"{name} has shape {array.shape}, expected {expected}")


def output(
    out: Array | None,
    shape: tuple[int, ...],
    dtype: DTypeLike = np.float32,
    *,
    any_strides: bool = False,
) -> Array:
    """``out`` after checking it, or a new array."""
    wanted = np.dtype(dtype)
    if out is None:
        return np.empty(shape, wanted)
    if not isinstance(out, np.ndarray):
        raise ArgumentTypeError(
            f"out is a {type(out).__name__}; give np.empty({shape}, {wanted.name!r}) or None"
        )
    if out.dtype != wanted:
        raise ArgumentTypeError(f"out has dtype {out.dtype.name}, expected {wanted.name}")
    check_shape("out", out, shape)
    if not out.flags.writeable:
        raise ArgumentError("out is read-only; give an array that may be written to")
    if not (any_strides or out.flags.c_contiguous):
        raise ArgumentError("out must be C-contiguous; give a fresh array and copy it afterwards")
    return out


def rows_in_use(rows: Array) -> Array:
    """The operand that tells operators of language models how many rows to work on: all."""
    return np.array([len(rows)], np.int32)


def check_how(threads: int | None, isa: str | None) -> None:
    """Refuse bad ``threads`` and ``isa`` where no kernel is called, for want of elements."""
    _native.team_of(threads)
    _native.tier_name(isa)


def call(
    op: str,
    inputs: list[Any],
    outputs: list[Array],
    attributes: dict[str, Any],
    constants: tuple[int, ...] = (),
    *,
    threads: int | None,
    isa: str | None,
) -> str:
    """Run a native operator; refuses outputs that it would write before it has read them."""
    arrays = [array for array in inputs if isinstance(array, np.ndarray)]
    for result in outputs:
        if any(_is_overwritten(array, result, op in IN_PLACE) for array in arrays):
            raise ArgumentError("out overlaps an input in memory; give another array, or copy it")
    return _native.call(op, inputs, outputs, attributes, constants, threads=threads, isa=isa)


def _is_overwritten(array: Array, result: Array, in_place: bool) -> bool:
    if not np.may_share_memory(array, result):
        return False
    first = array.__array_interface__["data"][0] == result.__array_interface__["data"][0]
    is_same = first and array.strides == result.strides and array.dtype == result.dtype
    return not (in_place and is_same) and np.shares_memory(array, result)
