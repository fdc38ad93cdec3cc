"""Convolution (cross-correlation) and its transpose, in any number of spatial dimensions.

One matrix product per kernel tap: exact semantics without a materialised im2col.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from pyhades.numerics.array import Array
from pyhades.numerics.window import Window


def convolve(
    x: Array,
    w: Array,
    bias: Array | None,
    window: Window,
    groups: int,
    counts: Sequence[int] | None = None,
) -> Array:
    """``y[n, o, p] = sum over i, t of x[n, i, p * strides + t * dilations - pads] * w[o, i, t]``.

    x ``[n, c, *spatial]``, w ``[o, c / groups, *kernel]``, bias ``[o]``; of each group of output
    channels only the input channels of the same group are seen. ``counts`` are the extents of y.
    """
    out = tuple(window.fitting(x.shape[2:]) if counts is None else counts)
    pads = zip(window.pads_begin, window.pads_end, strict=True)
    padded = np.pad(x, [(0, 0), (0, 0), *pads])
    n, outputs = x.shape[0], w.shape[0]
    y = np.zeros((n, groups, outputs // groups, math.prod(out)), x.dtype)
    for tap in window.taps():
        seen = padded[window.seen_by(tap, out)]
        columns = seen.reshape(n, groups, x.shape[1] // groups, math.prod(out))
        y += _tap_weights(w, tap).reshape(groups, outputs // groups, w.shape[1]) @ columns
    return _biased(y.reshape(n, outputs, *out), bias)


def convolve_transposed(
    x: Array, w: Array, bias: Array | None, window: Window, groups: int, counts: Sequence[int]
) -> Array:
    """Every x is spread by the kernel over y: the gradient of :func:`convolve` to its input.

    x ``[n, c, *spatial]``, w ``[c, o / groups, *kernel]``, bias ``[o]``; ``counts`` are the extents
    of y, which lies behind the leading pads.
    """
    n, spatial, channels = x.shape[0], x.shape[2:], w.shape[1] * groups
    # Scatter every input into a canvas that holds all windows, then cut the pads off.
    limits = zip(spatial, window.strides, window.extents, window.pads_begin, counts, strict=True)
    canvas = [max((i - 1) * s + e, b + o) for i, s, e, b, o in limits]
    y = np.zeros((n, channels, *canvas), x.dtype)
    columns = x.reshape(n, groups, x.shape[1] // groups, math.prod(spatial))
    for tap in window.taps():
        weights = (
            _tap_weights(w, tap).reshape(groups, w.shape[0] // groups, w.shape[1]).swapaxes(1, 2)
        )
        y[window.seen_by(tap, spatial)] += (weights @ columns).reshape(n, channels, *spatial)
    inside: Any = (slice(b, b + o) for b, o in zip(window.pads_begin, counts, strict=True))
    return _biased(y[(..., *inside)], bias)


def _tap_weights(w: Array, tap: tuple[int, ...]) -> Array:
    index: Any = (..., *tap)
    return np.asarray(w[index])


def _biased(y: Array, bias: Array | None) -> Array:
    return y if bias is None else y + bias.reshape(-1, *[1] * (y.ndim - 2))
