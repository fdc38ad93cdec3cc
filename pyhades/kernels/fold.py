"""Folding: blocks of a sliding window added up to an image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from pyhades.errors import ArgumentError
from pyhades.kernels.arguments import Array, as_array, call, output
from pyhades.numerics.fold import block_count
from pyhades.numerics.window import Window

_AXES = (1, 2, 3)


def fold(
    columns: ArrayLike,
    size: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    dilations: Sequence[int] | None = None,
    *,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """Add overlapping blocks up to images (Col2Im), the transpose of taking them out.

    Parameters
    ----------
    columns
        float32 ``[n, c * taps, blocks]``: the taps of a window in row-major order, and the places
        of the window in row-major order.
    size
        Extents of the image, one to three.
    kernel, strides, dilations
        Of the window, one per axis; strides and dilations are 1 by default.
    pads
        Positions before, then after the image along each axis that a window may cover; what falls
        there is dropped. 0 by default.
    out, threads, isa
        See :mod:`pyhades.kernels`; here ``out`` may have any strides.

    Returns
    -------
    ndarray
        float32 ``[n, c, *size]``.

    Raises
    ------
    ArgumentError
        If shapes or options do not fit.
    ArgumentTypeError
        If ``columns`` is not float32.

    Examples
    --------
    >>> fold(np.ones((1, 4, 4), np.float32), (3, 3), (2, 2))[0, 0]
    array([[1., 2., 1.],
           [2., 4., 2.],
           [1., 2., 1.]], dtype=float32)
    """
    columns = np.ascontiguousarray(as_array("columns", columns, ndim=3))
    axes = len(size)
    if axes not in _AXES or min(size) < 1:
        raise ArgumentError(f"size={size!r} should be one to three integers >= 1")
    window = {
        "kernel": [int(extent) for extent in kernel],
        "strides": [1] * axes if strides is None else [int(step) for step in strides],
        "pads": [0] * (2 * axes) if pads is None else [int(count) for count in pads],
        "dilations": [1] * axes if dilations is None else [int(step) for step in dilations],
    }
    for name, values in window.items():
        count, least = (2 * axes, 0) if name == "pads" else (axes, 1)
        if len(values) != count or min(values) < least:
            raise ArgumentError(f"{name}={values} should be {count} integers >= {least}")
    taps = int(np.prod(window["kernel"]))
    geometry = fold_window(**window)
    fits = min(geometry.fitting(size)) >= 1 and columns.shape[1] % taps == 0
    if not fits or columns.shape[2] != block_count(size, geometry):
        raise ArgumentError(
            f"columns of shape {columns.shape} do not fit an image of {tuple(size)} and a window "
            f"of {taps} taps at {geometry.fitting(size)} places"
        )
    shape = (len(columns), columns.shape[1] // taps, *(int(extent) for extent in size))
    y = output(out, shape, any_strides=True)
    call("fold", [columns], [y], window, threads=threads, isa=isa)
    return y


def fold_window(
    kernel: Sequence[int], strides: Sequence[int], pads: Sequence[int], dilations: Sequence[int]
) -> Window:
    """The window of these attributes."""
    half = len(pads) // 2
    sides = (tuple(pads[:half]), tuple(pads[half:]))
    return Window(tuple(kernel), tuple(strides), tuple(dilations), *sides)
