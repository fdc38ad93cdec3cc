"""Reductions over axes, which stay as extents of 1; positions of extrema; running sums."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pyhades.numerics.array import Array

Axes = tuple[int, ...]


def total(x: Array, axes: Axes) -> Array:
    """Sum in the dtype of x."""
    return np.asarray(x.sum(axis=axes, keepdims=True, dtype=x.dtype))


def log_sum_exp(x: Array, axes: Axes) -> Array:
    """log(sum(exp(x))), shifted by the maximum against overflow."""
    x = x * 1.0
    peak = x.max(axis=axes, keepdims=True, initial=-np.inf)
    peak = np.where(np.isfinite(peak), peak, 0).astype(x.dtype)
    return np.asarray(np.log(np.exp(x - peak).sum(axis=axes, keepdims=True)) + peak)


def _extreme(which: Callable[..., Array], largest: bool) -> Callable[[Array, Axes], Array]:
    def reduce(x: Array, axes: Axes) -> Array:
        if x.dtype.kind == "f":
            start: Any = -np.inf if largest else np.inf
        elif x.dtype.kind == "b":
            start = not largest
        else:
            limits = np.iinfo(x.dtype)
            start = limits.min if largest else limits.max
        return which(x, axis=axes, keepdims=True, initial=start)

    return reduce


REDUCTIONS: dict[str, Callable[[Array, Axes], Array]] = {
    "sum": total,
    "mean": lambda x, axes: x.mean(axis=axes, keepdims=True),
    "max": _extreme(np.max, largest=True),
    "min": _extreme(np.min, largest=False),
    "prod": lambda x, axes: x.prod(axis=axes, keepdims=True, dtype=x.dtype),
    "l1": lambda x, axes: total(np.abs(x), axes),
    "l2": lambda x, axes: np.sqrt(total(x * x, axes)),
    "log_sum": lambda x, axes: np.log(total(x, axes)),
    "log_sum_exp": log_sum_exp,
    "sum_square": lambda x, axes: total(x * x, axes),
}
"""By the name of the native operator."""


def arg_extreme(x: Array, axis: int, largest: bool, select_last: bool = False) -> Array:
    """Where the extremum lies along ``axis``, which stays as 1; of equals the first, or last."""
    which = np.argmax if largest else np.argmin
    best = which(np.flip(x, axis) if select_last else x, axis=axis, keepdims=True)
    return np.asarray(x.shape[axis] - 1 - best if select_last else best).astype(np.int64)


def running_sum(x: Array, axis: int, exclusive: bool, reverse: bool) -> Array:
    """Sums up to each element, without itself if ``exclusive``; ``reverse``: from the end."""
    return _running(np.cumsum, 0, x, axis, exclusive, reverse)


def running_product(x: Array, axis: int, exclusive: bool, reverse: bool) -> Array:
    """Products up to each element, as :func:`running_sum`."""
    return _running(np.cumprod, 1, x, axis, exclusive, reverse)


def _running(
    accumulate: Callable[..., Array],
    start: int,
    x: Array,
    axis: int,
    exclusive: bool,
    reverse: bool,
) -> Array:
    axis %= x.ndim
    y = accumulate(np.flip(x, axis) if reverse else x, axis=axis, dtype=x.dtype)
    if exclusive:
        y = np.roll(y, 1, axis=axis)
        y[(slice(None),) * axis + (slice(0, 1),)] = start
    return np.flip(y, axis).copy() if reverse else y


def top_k(x: Array, k: int, axis: int, largest: bool = True) -> Array:
    """Positions of the k largest or smallest elements, in order; ties go to the lower index."""
    if largest:
        # A stable sort of the mirrored array, mirrored back, keeps the lower index first.
        order = np.flip(x, axis).argsort(axis=axis, kind="stable")
        order = np.flip(x.shape[axis] - 1 - order, axis)
    else:
        order = x.argsort(axis=axis, kind="stable")
    return order.take(np.arange(k), axis=axis).astype(np.int64)
