"""Numbers on a grid: what the integers of quantised tensors stand for.

A grid has a step (``scale``) and an integer that stands for 0 (``zero_point``), for a whole tensor,
for each position along an axis, or for blocks of positions. Its *storage* is the name of the type
that the integers have in a file: ``"uint8"``, ``"int4"``, or one of the float8 types, whose grid
is not even and whose zero point is 0. Integers of less than 8 bits are kept one a byte.
"""

from __future__ import annotations

import numpy as np

from pyhades.numerics.array import Array

LIMITS: dict[str, tuple[int, int]] = {
    f"{'int' if signed else 'uint'}{bits}": (
        (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    )
    for bits in (2, 4, 8, 16, 32)
    for signed in (True, False)
}
"""The least and the greatest integer of each storage."""


def kept_as(storage: str) -> np.dtype[np.generic]:
    """The dtype that numbers of ``storage`` have in memory.

    Examples
    --------
    >>> kept_as("uint4"), kept_as("int16")
    (dtype('uint8'), dtype('int16'))
    """
    if storage not in LIMITS:
        return np.dtype(np.float32)
    bits = int(storage.lstrip("uint"))
    return np.dtype(storage if bits >= 8 else storage.rstrip("0123456789") + "8")


def spread(parameter: Array, shape: tuple[int, ...], axis: int, block: int) -> Array:
    """A scale or zero point, so that it broadcasts to ``shape``.

    A vector goes along ``axis``; blocks of ``block`` positions repeat each element (the last block
    may be shorter).
    """
    if parameter.size == 1 and parameter.ndim <= 1:
        return parameter.reshape(())
    if block:
        repeated = np.repeat(parameter, block, axis)
        return np.take(repeated, np.arange(shape[axis]), axis)
    if parameter.ndim > 1:
        return parameter
    column = [1] * len(shape)
    column[axis] = -1
    return parameter.reshape(column)


def steps(x: Array, scale: Array, zero_point: Array, storage: str) -> Array:
    """How many steps the nearest point of the grid is away from 0, as floats.

    Half a step rounds to even; what is beyond the grid goes to its end.
    """
    low, high = LIMITS[storage]
    offset = zero_point.astype(x.dtype)
    return np.asarray(np.clip(np.rint(x / scale), low - offset, high - offset))


def quantize(x: Array, scale: Array, zero_point: Array, storage: str) -> Array:
    """The integers of ``x``."""
    shifted = steps(x, scale, zero_point, storage) + zero_point.astype(x.dtype)
    integers: Array = shifted.astype(kept_as(storage))
    return integers


def dequantize(q: Array, scale: Array, zero_point: Array) -> Array:
    """What integers stand for: ``(q - zero_point) * scale``, in the dtype of the scale."""
    exact = np.int32 if q.dtype.itemsize < 4 else np.int64
    wide = exact if q.dtype.kind in "iu" else scale.dtype
    centred = q.astype(wide) - zero_point.astype(wide)
    return np.asarray(centred.astype(scale.dtype) * scale)


def fake_quantize(x: Array, scale: Array, zero_point: Array, storage: str) -> Array:
    """The nearest points of the grid."""
    return np.asarray(steps(x, scale, zero_point, storage) * scale)
