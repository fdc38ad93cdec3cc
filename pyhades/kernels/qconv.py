"""Convolutions and matrix products of uint8 with int8."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from pyhades.arguments import one_of
from pyhades.errors import ArgumentError
from pyhades.kernels.arguments import Array, as_array, call, check_shape, output
from pyhades.kernels.conv import (
    Algorithm,
    Layout,
    as_nchw,
    channels_last,
    empty_channels_last,
    image_output,
    output_size,
    whole_numbers,
)
from pyhades.kernels.epilogue import Activation, activation_attributes
from pyhades.kernels.requantize import GridDtype, check_grid


def qconv2d(
    x: ArrayLike,
    w: ArrayLike,
    factor: ArrayLike,
    bias: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    strides: Sequence[int] = (1, 1),
    pads: Sequence[int] = (0, 0, 0, 0),
    dilations: Sequence[int] = (1, 1),
    groups: int = 1,
    *,
    x_zero: int = 0,
    y_zero: int = 0,
    y_scale: float = 1.0,
    dtype: GridDtype = "uint8",
    activation: Activation | None = None,
    via: tuple[float, float, int] | None = None,
    residual: ArrayLike | None = None,
    residual_zero: int = 0,
    residual_scale: float = 1.0,
    after: Activation | None = None,
    layout: Layout = "NCHW",
    algorithm: Algorithm = "auto",
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """Convolution of images of bytes, requantised.

    The sums ``s = conv(x - x_zero, w) + bias`` are exact integers. What follows is float32, each
    step rounded once: ``v = after(via(activation(s * factor + offset)) + residual)``, and for uint8
    results ``limit(round(v / y_scale) + y_zero, 0, 255)``. The result is the same, to the last bit,
    on every tier and for any number of threads.

    Parameters
    ----------
    x
        uint8 ``[n, c, h, w]``, or ``[n, h, w, c]`` with ``layout="NHWC"``. Any view whose channel
        axis is contiguous is read in place, so NHWC costs no copy; other arrays are copied.
    w
        int8 ``[o, c / groups, kh, kw]`` in both layouts.
    factor
        float32 ``[o]``: the scale of ``x`` times that of ``w``, and where nothing but a ReLU stands
        before the result, divided by that of the result, which is then 1.
    bias
        int32 ``[o]``, in units of ``factor``.
    offset
        float32 ``[o]``: a bias that is no integer.
    strides, dilations
        Vertical and horizontal, in pixels.
    pads
        Pixels of ``x_zero`` added at the top, left, bottom and right.
    groups
        Divides the channels of ``x`` and of the result into groups that do not see each other.
    x_zero
        The byte of ``x`` that stands for 0.
    y_zero, y_scale
        The grid of a uint8 result: the byte that stands for 0, and the step.
    dtype
        ``"uint8"`` or ``"float32"``, of the result.
    activation, after
        As in :func:`pyhades.kernels.conv2d`; ``after`` follows the residual.
    via
        A step, a scale and a zero point: values go through the points of a grid, as if they were
        stored as bytes and read again, ``q = limit(round(v / step) + zero, 0, 255)`` and
        ``v = (q - zero) * scale``. Step and scale differ where ``factor`` has been divided.
    residual, residual_zero, residual_scale
        uint8 or float32 of the shape of the result, added after the activation. A byte ``r`` counts
        as ``(r - residual_zero) * residual_scale``.
    layout
        ``"NCHW"`` or ``"NHWC"``: the order of the axes of ``x``, ``residual`` and the result.
    algorithm
        As in :func:`pyhades.kernels.conv2d`. The results are the same: Winograd's transform is
        exact here. It refuses weights of which sums may reach ``2 ** 25``.
    out, threads, isa
        See :mod:`pyhades.kernels`. ``out`` may be a slice of channels of an NHWC array.

    Returns
    -------
    ndarray
        ``[n, o, oh, ow]`` or ``[n, oh, ow, o]``, of ``dtype``.

    Raises
    ------
    ArgumentError
        If shapes or options do not fit, or sums of so many products may not fit in 32 bits.
    ArgumentTypeError
        If an array has another dtype.

    Examples
    --------
    >>> x = np.full((1, 1, 3, 3), 12, np.uint8)
    >>> w = np.ones((1, 1, 3, 3), np.int8)
    >>> qconv2d(x, w, np.float32([0.5]), pads=(1, 1, 1, 1), x_zero=10, y_zero=100)[0, 0]
    array([[104, 106, 104],
           [106, 109, 106],
           [104, 106, 104]], dtype=uint8)
    """
    one_of("layout", layout, Layout)
    one_of("dtype", dtype, GridDtype)
    one_of("algorithm", algorithm, Algorithm)
    x = as_nchw(as_array("x", x, ndim=4, dtype=np.uint8), layout)
    w = np.ascontiguousarray(as_array("w", w, ndim=4, dtype=np.int8))
    strides = whole_numbers("strides", strides, 2, 1)
    dilations = whole_numbers("dilations", dilations, 2, 1)
    pads = whole_numbers("pads", pads, 4, 0)
    if groups < 1 or x.shape[1] != w.shape[1] * groups or w.shape[0] % groups:
        raise ArgumentError(
            f"w of shape {w.shape} with groups={groups} does not fit {x.shape[1]} input channels"
        )
    vectors = _vectors(w.shape[0], bias, factor, offset)
    height, width = output_size(x.shape[2:], w.shape[2:], strides, pads, dilations)
    shape = (x.shape[0], w.shape[0], height, width)
    named = shape if layout == "NCHW" else (shape[0], height, width, shape[1])
    if residual is not None:
        residual = _residual(residual, named, 4)
        residual = channels_last(as_nchw(residual, layout))

    result = image_output(out, named, layout, dtype)
    target = as_nchw(result, layout)
    # Planar results are computed channels-last and copied.
    y = target if layout == "NHWC" else empty_channels_last(shape, dtype)
    attributes: dict[str, Any] = {
        "strides": strides,
        "pads": pads,
        "dilations": dilations,
        "groups": groups,
        "algorithm": algorithm,
        **_quantities(
            x_zero, y_zero, y_scale, residual_zero, residual_scale, activation, after, via
        ),
    }
    inputs = [channels_last(x), w, *vectors, residual]
    call("qconv2d", inputs, [y], attributes, constants=(1,), threads=threads, isa=isa)
    if y is not target:
        target[...] = y
    return result


def qlinear(
    a: ArrayLike,
    b: ArrayLike,
    factor: ArrayLike,
    bias: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    *,
    x_zero: int = 0,
    y_zero: int = 0,
    y_scale: float = 1.0,
    dtype: GridDtype = "uint8",
    activation: Activation | None = None,
    via: tuple[float, float, int] | None = None,
    residual: ArrayLike | None = None,
    residual_zero: int = 0,
    residual_scale: float = 1.0,
    after: Activation | None = None,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """Product of a matrix of bytes and one of int8, requantised: :func:`qconv2d` for matrices.

    Parameters
    ----------
    a
        uint8 ``[m, k]``. Rows may lie apart; columns are contiguous, or are copied.
    b
        int8 ``[k, n]``, any strides.
    factor, bias, offset
        ``[n]``, one number per column; as in :func:`qconv2d`.
    x_zero, y_zero, y_scale, dtype, activation, after, via
        As in :func:`qconv2d`; ``x_zero`` is the byte of ``a`` that stands for 0.
    residual, residual_zero, residual_scale
        As in :func:`qconv2d`, ``[m, n]``.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        ``[m, n]``, of ``dtype``.

    Raises
    ------
    ArgumentError
        If shapes or options do not fit, or sums of so many products may not fit in 32 bits.
    ArgumentTypeError
        If an array has another dtype.

    Examples
    --------
    >>> a, b = np.uint8([[1, 2], [3, 4]]), np.int8([[1, -1], [1, 1]])
    >>> qlinear(a, b, np.float32([0.5, 0.5]), dtype="float32")
    array([[1.5, 0.5],
           [3.5, 0.5]], dtype=float32)
    """
    one_of("dtype", dtype, GridDtype)
    a = as_array("a", a, ndim=2, dtype=np.uint8)
    if a.shape[1] > 1 and a.strides[1] != 1:
        a = np.ascontiguousarray(a)
    b = as_array("b", b, ndim=2, dtype=np.int8)
    if a.shape[1] != b.shape[0]:
        raise ArgumentError(f"a of shape {a.shape} and b of shape {b.shape} do not fit")
    shape = (a.shape[0], b.shape[1])
    vectors = _vectors(b.shape[1], bias, factor, offset)
    if residual is not None:
        residual = np.ascontiguousarray(_residual(residual, shape, 2))
    y = output(out, shape, dtype)
    attributes = _quantities(
        x_zero, y_zero, y_scale, residual_zero, residual_scale, activation, after, via
    )
    inputs = [a, np.ascontiguousarray(b), *vectors, residual]
    call("qlinear", inputs, [y], attributes, constants=(1,), threads=threads, isa=isa)
    return y


def _vectors(
    channels: int, bias: ArrayLike | None, factor: ArrayLike, offset: ArrayLike | None
) -> list[Array | None]:
    """The operands with one number per output channel, in their order."""
    given = (
        ("bias", bias, np.int32),
        ("factor", factor, np.float32),
        ("offset", offset, np.float32),
    )
    vectors: list[Array | None] = []
    for name, value, dtype in given:
        if value is None:
            vectors.append(None)
            continue
        vector = np.ascontiguousarray(as_array(name, value, ndim=1, dtype=dtype))
        check_shape(name, vector, (channels,))
        vectors.append(vector)
    return vectors


def _residual(residual: ArrayLike, shape: tuple[int, ...], ndim: int) -> Array:
    array = np.asarray(residual)
    dtype = np.uint8 if array.dtype == np.uint8 else np.float32
    array = as_array("residual", residual, ndim=ndim, dtype=dtype)
    check_shape("residual", array, shape)
    return array


def _quantities(
    x_zero: int,
    y_zero: int,
    y_scale: float,
    residual_zero: int,
    residual_scale: float,
    activation: Activation | None,
    after: Activation | None,
    via: tuple[float, float, int] | None,
) -> dict[str, Any]:
    check_grid("x", 1.0, x_zero)
    check_grid("y", y_scale, y_zero)
    check_grid("residual", residual_scale, residual_zero)
    step, scale, zero = via or (0.0, 1.0, 0)
    if via is not None:
        check_grid("via", step, zero)
        check_grid("via", scale, zero)
    behind = {
        name.replace("activation", "after"): value
        for name, value in activation_attributes(after).items()
    }
    return {
        "x_zero": int(x_zero),
        "y_zero": int(y_zero),
        "y_scale": float(y_scale),
        "residual_zero": int(residual_zero),
        "residual_scale": float(residual_scale),
        "via_step": float(step),
        "via_scale": float(scale),
        "via_zero": int(zero),
        **activation_attributes(activation),
        **behind,
    }
