"""Pooling over the last two axes of images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, overload

import numpy as np
from numpy.typing import ArrayLike

from pyhades.errors import ArgumentError
from pyhades.kernels.arguments import Array, call, output

Pair = Sequence[int]
Pads = Sequence[int]
ByteGrid = tuple[float, int]
"""Scale and zero point: a byte q stands for ``(q - zero) * scale``."""


@overload
def max_pool(
    x: ArrayLike,
    kernel: Pair,
    strides: Pair | None = None,
    pads: Pads = (0, 0, 0, 0),
    dilations: Pair = (1, 1),
    *,
    ceil_mode: bool = False,
    return_indices: Literal[False] = False,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array: ...


@overload
def max_pool(
    x: ArrayLike,
    kernel: Pair,
    strides: Pair | None = None,
    pads: Pads = (0, 0, 0, 0),
    dilations: Pair = (1, 1),
    *,
    ceil_mode: bool = False,
    return_indices: Literal[True],
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> tuple[Array, Array]: ...


def max_pool(
    x: ArrayLike,
    kernel: Pair,
    strides: Pair | None = None,
    pads: Pads = (0, 0, 0, 0),
    dilations: Pair = (1, 1),
    *,
    ceil_mode: bool = False,
    return_indices: bool = False,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array | tuple[Array, Array]:
    """Largest element of every window.

    Parameters
    ----------
    x
        float32, float64, uint8 or int8 ``[n, c, h, w]``, any strides; fastest where float32 or
        uint8 and channels are contiguous (``x = nhwc.transpose(0, 3, 1, 2)``).
    kernel
        Height and width of the window.
    strides
        Steps of the window, by default its size.
    pads
        ``(top, left, bottom, right)``; what is padded never wins.
    dilations
        Distance between the taps of a window.
    ceil_mode
        Also keep a last window that reaches beyond the padded input but starts inside.
    return_indices
        Also give where each result was found.
    out, threads, isa
        See :mod:`pyhades.kernels`; here ``out`` may have any strides.

    Returns
    -------
    ndarray or (ndarray, ndarray)
        ``[n, c, oh, ow]`` in the memory order of ``x`` (channels-last or contiguous), and if asked
        for int64 indices into the flattened contiguous ``x``. NaN never wins.

    Raises
    ------
    ArgumentError
        If the window does not fit or the dtype has no kernel.

    Examples
    --------
    >>> max_pool(np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4), (2, 2))
    array([[[[ 5.,  7.],
             [13., 15.]]]], dtype=float32)
    """
    x = _image(x)
    attributes = window_attributes(kernel, strides, pads, dilations)
    y = _output(x, attributes, ceil_mode, out)
    indices = [np.empty(y.shape, np.int64)] if return_indices else []
    call("max_pool", [x], [y, *indices], attributes, threads=threads, isa=isa)
    return (y, indices[0]) if return_indices else y


def average_pool(
    x: ArrayLike,
    kernel: Pair,
    strides: Pair | None = None,
    pads: Pads = (0, 0, 0, 0),
    dilations: Pair = (1, 1),
    *,
    ceil_mode: bool = False,
    count_include_pad: bool = False,
    x_grid: ByteGrid = (1.0, 0),
    y_grid: ByteGrid = (1.0, 0),
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """Mean of every window.

    Parameters
    ----------
    x
        float32 or float64 ``[n, c, h, w]``, any strides, fastest where float32 and channels are
        contiguous; or uint8 with contiguous channels.
    kernel, strides, pads, dilations, ceil_mode
        See :func:`max_pool`.
    count_include_pad
        Count padded positions as zeros; by default they are left out of the mean.
    x_grid, y_grid
        For uint8, which stands for numbers on a grid: scale and zero point of x and of the result.
    out, threads, isa
        See :mod:`pyhades.kernels`; here ``out`` may have any strides.

    Returns
    -------
    ndarray
        ``[n, c, oh, ow]`` in the memory order of ``x``; uint8 is the nearest, half to even.

    Raises
    ------
    ArgumentError
        If the window does not fit or the dtype has no kernel.

    Examples
    --------
    >>> average_pool(np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4), (2, 2))
    array([[[[ 2.5,  4.5],
             [10.5, 12.5]]]], dtype=float32)
    """
    x = _image(x)
    attributes = window_attributes(kernel, strides, pads, dilations)
    y = _output(x, attributes, ceil_mode, out)
    options: dict[str, float] = {"count_include_pad": int(count_include_pad)}
    if x.dtype == np.uint8:
        options |= grid_attributes(x_grid, y_grid)
    call("average_pool", [x], [y], {**attributes, **options}, threads=threads, isa=isa)
    return y


def grid_attributes(x_grid: ByteGrid, y_grid: ByteGrid) -> dict[str, float]:
    """The grids as native operators take them."""
    names = ("x_scale", "x_zero", "y_scale", "y_zero")
    return dict(zip(names, (*x_grid, *y_grid), strict=True))


def _image(x: ArrayLike) -> Array:
    x = np.asarray(x)
    if x.ndim != 4:
        raise ArgumentError(f"x has {x.ndim} axes (shape {x.shape}), expected [n, c, h, w]")
    return x


def window_attributes(
    kernel: Pair, strides: Pair | None, pads: Pads, dilations: Pair
) -> dict[str, list[int]]:
    """The geometry as native operators take it."""
    attributes = {
        "kernel": [int(extent) for extent in kernel],
        "strides": [int(step) for step in (kernel if strides is None else strides)],
        "dilations": [int(step) for step in dilations],
        "pads": [int(count) for count in pads],
    }
    for name, values in attributes.items():
        count, smallest = (4, 0) if name == "pads" else (2, 1)
        if len(values) != count or min(values) < smallest:
            raise ArgumentError(f"{name}={values} should be {count} integers >= {smallest}")
    return attributes


def pooled_shape(
    shape: tuple[int, ...], attributes: dict[str, list[int]], ceil_mode: bool
) -> tuple[int, ...]:
    """The shape of what is pooled, after checking that the window fits."""
    pads = attributes["pads"]
    extents = []
    for axis in range(2):
        kernel, stride, dilation = (
            attributes[name][axis] for name in ("kernel", "strides", "dilations")
        )
        begin, end = pads[axis], pads[axis + 2]
        extents.append(
            pooled_extent(shape[2 + axis], kernel, stride, dilation, begin, end, ceil_mode)
        )
    if min(extents) < 1:
        raise ArgumentError(f"the window does not fit into x of shape {shape} with these pads")
    return (*shape[:2], *extents)


def _output(
    x: Array, attributes: dict[str, list[int]], ceil_mode: bool, out: Array | None
) -> Array:
    shape = pooled_shape(x.shape, attributes, ceil_mode)
    if out is not None:
        return output(out, shape, x.dtype, any_strides=True)
    if x.strides[1] == x.itemsize and x.shape[1] > 1:
        n, c, h, w = shape
        return np.empty((n, h, w, c), x.dtype).transpose(0, 3, 1, 2)
    return np.empty(shape, x.dtype)


def pooled_extent(
    extent: int,
    kernel: int,
    stride: int,
    dilation: int,
    pad_begin: int,
    pad_end: int,
    ceil_mode: bool,
) -> int:
    """Count the windows along an axis of ``extent`` elements.

    In ceil mode a last window that would start in the end padding is dropped.
    """
    room = extent + pad_begin + pad_end - dilation * (kernel - 1) - 1
    if room < 0:
        return 0
    windows = (-(-room // stride) if ceil_mode else room // stride) + 1
    return windows - 1 if (windows - 1) * stride >= extent + pad_begin else windows
