"""Sampling images at the positions of a grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pyhades.arguments import one_of
from pyhades.errors import ArgumentError
from pyhades.kernels.arguments import Array, as_array, call, output
from pyhades.numerics.grid import GridMode, GridPadding

_AXES = (1, 2, 3)


def grid_sample(
    x: ArrayLike,
    grid: ArrayLike,
    mode: GridMode = "linear",
    padding: GridPadding = "zeros",
    align_corners: bool = False,
    *,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """Images at the positions of a grid, as the ONNX operator GridSample.

    Parameters
    ----------
    x
        float32 ``[n, c, *spatial]`` of one to three spatial axes, any strides; fastest where the
        channels are contiguous (``x = nhwc.transpose(0, 3, 1, 2)``) and there are several.
    grid
        float32 ``[n, *positions, axes]``, any strides: for each position x, y and z, of which -1
        and 1 are the ends of the image.
    mode
        ``"linear"``, ``"nearest"`` or ``"cubic"``.
    padding
        What is outside: ``"zeros"``, the ``"border"``, or the ``"reflection"`` of the image.
    align_corners
        Whether the ends are the centres of the outermost pixels, not their outer edges.
    out, threads, isa
        See :mod:`pyhades.kernels`; here ``out`` may have any strides.

    Returns
    -------
    ndarray
        float32 ``[n, c, *positions]`` in the memory order of ``x`` (channels last or contiguous).

    Raises
    ------
    ArgumentError
        If shapes do not fit, or a mode is unknown.
    ArgumentTypeError
        If an array is not float32.

    Examples
    --------
    >>> x = np.arange(4, dtype=np.float32).reshape(1, 1, 2, 2)
    >>> grid_sample(x, np.float32([[[[0, 0], [1, 1]]]]), align_corners=True)
    array([[[[1.5, 3. ]]]], dtype=float32)
    """
    one_of("mode", mode, GridMode)
    one_of("padding", padding, GridPadding)
    x, grid = as_array("x", x), as_array("grid", grid)
    axes = x.ndim - 2
    fits = axes in _AXES and grid.ndim == x.ndim and grid.shape[-1] == axes
    if not fits or len(grid) != len(x):
        raise ArgumentError(
            f"grid of shape {grid.shape} does not fit x of shape {x.shape}; expected "
            "x [n, c, *spatial] and grid [n, *positions, spatial axes]"
        )
    shape = (*x.shape[:2], *grid.shape[1:-1])
    if 0 in x.shape[2:] and 0 not in shape:
        raise ArgumentError(f"x of shape {x.shape} has no pixels to sample")
    y = _like(x, shape) if out is None else output(out, shape, any_strides=True)
    attributes = {"mode": mode, "padding": padding, "align_corners": int(align_corners)}
    call("grid_sample", [x, grid], [y], attributes, threads=threads, isa=isa)
    return y


def _like(x: Array, shape: tuple[int, ...]) -> Array:
    """An array with contiguous channels where those of ``x`` are."""
    if x.shape[1] > 1 and x.strides[1] == x.itemsize:
        last = np.empty((shape[0], *shape[2:], shape[1]), np.float32)
        return np.moveaxis(last, -1, 1)
    return np.empty(shape, np.float32)
