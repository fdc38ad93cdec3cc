"""Products of integers on grids, and between the grids: the arithmetic of eight bits.

A point ``q`` of a grid stands for ``(q - zero) * scale``. Activations are uint8, weights int8 with
zero 0. Sums are integers; behind them every step is one operation of float32, rounded once, so that
any order of summing gives the same bits.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pyhades.numerics.array import Array
from pyhades.numerics.convolution import convolve
from pyhades.numerics.epilogue import NONE, Stage, finish
from pyhades.numerics.window import Window


class Grid(NamedTuple):
    """256 points at even steps, one of which is 0."""

    scale: float = 1.0
    zero: int = 0


class Via(NamedTuple):
    """A grid on the way: ``step`` divides what comes, ``scale`` is what a step then stands for.

    They differ where what comes has been divided before, as a part of another factor.
    """

    step: float
    scale: float
    zero: int


def quantize(x: Array, grid: Grid) -> Array:
    """The nearest points, ties to the even step; NaN gives 0.

    Examples
    --------
    >>> quantize(np.float32([-9.0, 0.5, 1.5, 300.0]), Grid(1.0, 3))
    array([  0,   3,   5, 255], dtype=uint8)
    """
    steps = np.rint(np.asarray(x, np.float32) / np.float32(grid.scale))
    points = np.clip(steps + np.float32(grid.zero), 0, 255)
    return np.where(np.isnan(points), np.float32(0), points).astype(np.uint8)


def dequantize(q: Array, grid: Grid) -> Array:
    """What points stand for, as float32."""
    return np.asarray((q.astype(np.int32) - grid.zero).astype(np.float32) * np.float32(grid.scale))


def requantize(q: Array, grid: Grid, to: Grid) -> Array:
    """The nearest points of another grid."""
    return quantize(dequantize(q, grid), to)


def look_up(q: Array, table: Array) -> Array:
    """A function of bytes, written down: ``table`` has its 256 values."""
    return np.asarray(table[q])


def convolved(
    x: Array, x_zero: int, w: Array, bias: Array | None, window: Window, groups: int
) -> Array:
    """int32 sums of ``(x - x_zero) * w``, modulo 2^32, where padding counts as ``x_zero``.

    x uint8 ``[n, c, *spatial]``, w int8 ``[o, c / groups, *kernel]``, bias int32 ``[o]``.
    """
    # Below 2^53, where float64 is exact and its products are fast.
    sums = convolve(x.astype(np.float64) - x_zero, w.astype(np.float64), None, window, groups)
    return _wrapped(sums, bias, (-1, *[1] * (x.ndim - 2)))


def multiplied(a: Array, a_zero: int, b: Array, bias: Array | None) -> Array:
    """int32 sums of ``(a - a_zero) @ b``, modulo 2^32: a uint8 ``[m, k]``, b int8 ``[k, n]``."""
    return _wrapped((a.astype(np.float64) - a_zero) @ b.astype(np.float64), bias, (-1,))


def _wrapped(sums: Array, bias: Array | None, column: tuple[int, ...]) -> Array:
    wide = sums.astype(np.int64)
    if bias is not None:
        wide = wide + bias.astype(np.int64).reshape(column)
    return wide.astype(np.int32)


def finished(
    sums: Array,
    factor: Array,
    offset: Array | None,
    activation: Stage = NONE,
    residual: Array | None = None,
    residual_grid: Grid | None = None,
    after: Stage = NONE,
    to: Grid | None = None,
    via: Via | None = None,
) -> Array:
    """What becomes of int32 sums: ``after(via(activation(sums * factor + offset)) + residual)``.

    ``factor`` and ``offset`` are float32 and broadcast. A uint8 residual lies on ``residual_grid``.
    The result is float32, or the points of ``to``. ``via`` goes through the points of a grid.
    """
    v = sums.astype(np.float32) * factor
    if offset is not None:
        v = v + offset
    if residual is not None and residual.dtype == np.uint8:
        residual = dequantize(residual, residual_grid or Grid())
    if via is not None:
        v = dequantize(
            quantize(finish(v, activation), Grid(via.step, via.zero)), Grid(via.scale, via.zero)
        )
        activation = NONE
    v = finish(v, activation, residual, after)
    return v if to is None else quantize(v, to)
