"""Products of bfloat16, which are summed and finished in float32.

A bfloat16 is the upper half of a float32: eight bits of precision, the same range. NumPy has none,
so values are the uint16 of their bits. Products of two are exact in float32; the order in which
they are summed is not said, so that the result of a sum of n products is known up to
:func:`sum_bound` before it is rounded.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pyhades.numerics.array import Array
from pyhades.numerics.convolution import convolve
from pyhades.numerics.epilogue import NONE, Stage, finish
from pyhades.numerics.pooling import max_pool
from pyhades.numerics.window import Window
from pyhades.quant.bf16 import from_bf16, to_bf16

UNIT = 2.0**-24
"""The largest relative error of a float32 rounded to nearest."""


def narrowed(x: Array) -> Array:
    """The bits of the nearest bfloat16, ties to even; NaN stays NaN.

    Examples
    --------
    >>> [hex(bits) for bits in narrowed(np.float32([1.0, 257.0]))]
    ['0x3f80', '0x4380']
    """
    return to_bf16(x)


def widened(bits: Array) -> Array:
    """The numbers as float32."""
    return from_bf16(bits)


def convolved(x: Array, w: Array, bias: Array | None, window: Window, groups: int) -> Array:
    """float32 sums: x uint16 ``[n, c, *spatial]``, w uint16 ``[o, c / groups, *kernel]``."""
    return convolve(widened(x), widened(w), bias, window, groups)


def multiplied(a: Array, b: Array, bias: Array | None) -> Array:
    """float32 sums: a uint16 ``[..., m, k]``, b uint16 ``[k, n]``."""
    sums = widened(a) @ widened(b)
    return sums if bias is None else np.asarray(sums + bias)


def finished(
    sums: Array,
    activation: Stage = NONE,
    residual: Array | None = None,
    after: Stage = NONE,
    narrow: bool = True,
) -> Array:
    """``after(activation(sums) + residual)``, float32, or the bits of the nearest bfloat16."""
    v = finish(sums, activation, residual, after)
    return narrowed(v) if narrow else v


def max_pooled(x: Array, window: Window, counts: Sequence[int]) -> Array:
    """The largest number of each window, which is a bfloat16 again."""
    return narrowed(max_pool(widened(x), window, counts)[0])


def sum_bound(products: int) -> float:
    """How far a float32 sum may be from the exact one, relative to the sum of magnitudes.

    Every one of ``products - 1`` additions, and that of a bias, rounds; an instruction may round a
    product before it adds it.
    """
    return (2 * products + 2) * UNIT
