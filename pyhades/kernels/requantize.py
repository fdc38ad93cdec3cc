"""Between float32 and points of grids of 8 bits."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from pyhades.arguments import one_of
from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.kernels.arguments import Array, as_array, call, output

GridDtype = Literal["uint8", "float32"]
"""What a result is: points of a grid, or what they stand for."""


def check_grid(name: str, scale: float, zero: int) -> None:
    """Refuse a grid that is none, naming it."""
    if not (scale > 0 and np.isfinite(np.float32(scale))):
        raise ArgumentError(f"{name}_scale={scale!r} must be positive and finite")
    if not 0 <= zero <= 255:
        raise ArgumentError(f"{name}_zero={zero!r} must be from 0 to 255")


def requantize(
    x: ArrayLike,
    x_scale: float = 1.0,
    x_zero: int = 0,
    y_scale: float = 1.0,
    y_zero: int = 0,
    *,
    dtype: GridDtype = "uint8",
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """Points of one grid as points of another, from and to float32 as well.

    A point ``q`` of a grid stands for ``(q - zero) * scale``. The result is
    ``limit(round(value / y_scale) + y_zero, 0, 255)``, ties to the even step; NaN gives 0.

    Parameters
    ----------
    x
        uint8, points of the grid of ``x_scale`` and ``x_zero``; or float32, which has none. Any
        shape.
    x_scale, x_zero
        The step of the grid of ``x``, and its point that stands for 0.
    y_scale, y_zero
        Those of the result.
    dtype
        ``"uint8"``, or ``"float32"``: what the points of ``x`` stand for.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        uint8 or float32, of the shape of ``x``.

    Raises
    ------
    ArgumentError
        If a scale is not positive or a zero no byte.
    ArgumentTypeError
        If ``x`` is neither uint8 nor float32, or is float32 where float32 is asked for.

    Examples
    --------
    >>> requantize(np.uint8([0, 10, 20]), 0.5, 10, 0.25, 128)
    array([108, 128, 148], dtype=uint8)
    >>> requantize(np.uint8([0, 10, 20]), 0.5, 10, dtype="float32")
    array([-5.,  0.,  5.], dtype=float32)
    """
    one_of("dtype", dtype, GridDtype)
    check_grid("x", x_scale, x_zero)
    check_grid("y", y_scale, y_zero)
    is_bytes = isinstance(x, np.ndarray) and x.dtype == np.uint8
    x = as_array("x", x, dtype=np.uint8 if is_bytes else np.float32)
    if x.dtype == np.float32 and dtype == "float32":
        raise ArgumentTypeError("x is float32 already; dtype='float32' is for points of a grid")
    grids = (float(x_scale), int(x_zero)), (float(y_scale), int(y_zero))
    op, attributes = _operator(x, dtype, *grids)
    y = output(out, x.shape, dtype)
    call(op, [x], [y], attributes, threads=threads, isa=isa)
    return y


def _operator(
    x: Array, dtype: str, x_grid: tuple[float, int], y_grid: tuple[float, int]
) -> tuple[str, dict[str, Any]]:
    if dtype == "float32":
        return "dequantize_u8", dict(zip(("scale", "zero"), x_grid, strict=True))
    if x.dtype == np.float32:
        return "quantize_u8", dict(zip(("scale", "zero"), y_grid, strict=True))
    names = ("x_scale", "x_zero", "y_scale", "y_zero")
    return "requantize", dict(zip(names, (*x_grid, *y_grid), strict=True))
