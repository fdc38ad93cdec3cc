"""Convolutions, matrix products and maxima of bfloat16, as uint16 of their bits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from pyhades.arguments import one_of
from pyhades.errors import ArgumentError
from pyhades.kernels.arguments import Array, as_array, call, check_shape, output
from pyhades.kernels.conv import (
    Layout,
    as_nchw,
    channels_last,
    empty_channels_last,
    image_output,
    output_size,
    whole_numbers,
)
from pyhades.kernels.epilogue import Activation, activation_attributes
from pyhades.kernels.pool import Pads, Pair, pooled_shape, window_attributes

ResultDtype = Literal["uint16", "float32"]
"""What a result is: bits of bfloat16, or float32."""


def narrow_bf16(
    x: ArrayLike,
    *,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """The bits of the nearest bfloat16, ties to even; NaN stays NaN.

    Parameters
    ----------
    x
        float32 of any shape.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        uint16 of the shape of ``x``. :func:`pyhades.quant.from_bf16` widens it again.

    Raises
    ------
    ArgumentTypeError
        If ``x`` is not float32.

    Examples
    --------
    >>> [hex(bits) for bits in narrow_bf16(np.float32([1.0, -2.5, 257.0]))]
    ['0x3f80', '0xc020', '0x4380']
    """
    x = as_array("x", x)
    y = output(out, x.shape, np.uint16)
    call("narrow_bf16", [x], [y], {}, threads=threads, isa=isa)
    return y


def conv2d_bf16(
    x: ArrayLike,
    w: ArrayLike,
    bias: ArrayLike | None = None,
    strides: Sequence[int] = (1, 1),
    pads: Sequence[int] = (0, 0, 0, 0),
    dilations: Sequence[int] = (1, 1),
    groups: int = 1,
    *,
    dtype: ResultDtype = "uint16",
    activation: Activation | None = None,
    residual: ArrayLike | None = None,
    after: Activation | None = None,
    layout: Layout = "NCHW",
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """Convolution of images of bfloat16, ``after(activation(conv(x, w) + bias) + residual)``.

    Products are summed in float32, in an order that depends on the tier and the shape, and the
    result is rounded once.

    Parameters
    ----------
    x
        uint16 ``[n, c, h, w]``, or ``[n, h, w, c]`` with ``layout="NHWC"``: the bits of bfloat16,
        as :func:`narrow_bf16` makes them. Any view whose channel axis is contiguous is read in
        place; other arrays are copied.
    w
        uint16 ``[o, c / groups, kh, kw]`` in both layouts.
    bias
        float32 ``[o]``.
    strides, dilations, pads, groups
        As in :func:`pyhades.kernels.conv2d`.
    dtype
        ``"uint16"``, the bits of bfloat16, or ``"float32"``, of the result.
    activation, after
        As in :func:`pyhades.kernels.conv2d`; ``after`` follows the residual.
    residual
        float32 of the shape of the result, added after the activation.
    layout
        ``"NCHW"`` or ``"NHWC"``: the order of the axes of ``x``, ``residual`` and the result.
    out, threads, isa
        See :mod:`pyhades.kernels`. ``out`` may be a slice of channels of an NHWC array.

    Returns
    -------
    ndarray
        ``[n, o, oh, ow]`` or ``[n, oh, ow, o]``, of ``dtype``.

    Raises
    ------
    ArgumentError
        If shapes or options do not fit.
    ArgumentTypeError
        If an array has another dtype.

    Examples
    --------
    >>> one = narrow_bf16(np.ones((1, 1, 3, 3), np.float32))
    >>> conv2d_bf16(one, one, pads=(1, 1, 1, 1), dtype="float32")[0, 0]
    array([[4., 6., 4.],
           [6., 9., 6.],
           [4., 6., 4.]], dtype=float32)
    """
    one_of("layout", layout, Layout)
    one_of("dtype", dtype, ResultDtype)
    x = as_nchw(as_array("x", x, ndim=4, dtype=np.uint16), layout)
    w = np.ascontiguousarray(as_array("w", w, ndim=4, dtype=np.uint16))
    strides = whole_numbers("strides", strides, 2, 1)
    dilations = whole_numbers("dilations", dilations, 2, 1)
    pads = whole_numbers("pads", pads, 4, 0)
    if groups < 1 or x.shape[1] != w.shape[1] * groups or w.shape[0] % groups:
        raise ArgumentError(
            f"w of shape {w.shape} with groups={groups} does not fit {x.shape[1]} input channels"
        )
    height, width = output_size(x.shape[2:], w.shape[2:], strides, pads, dilations)
    shape = (x.shape[0], w.shape[0], height, width)
    named = shape if layout == "NCHW" else (shape[0], height, width, shape[1])
    if residual is not None:
        residual = as_array("residual", residual, ndim=4)
        check_shape("residual", residual, named)
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
        **_epilogue(activation, after),
    }
    inputs = [channels_last(x), w, _bias(bias, w.shape[0]), residual]
    call("conv2d_bf16", inputs, [y], attributes, constants=(1,), threads=threads, isa=isa)
    if y is not target:
        target[...] = y
    return result


def linear_bf16(
    a: ArrayLike,
    b: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    dtype: ResultDtype = "uint16",
    activation: Activation | None = None,
    residual: ArrayLike | None = None,
    after: Activation | None = None,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """Product of two matrices of bfloat16: :func:`conv2d_bf16` for matrices.

    Parameters
    ----------
    a
        uint16 ``[m, k]``. Rows may lie apart; columns are contiguous, or are copied.
    b
        uint16 ``[k, n]``, any strides.
    bias
        float32 ``[n]``.
    dtype, activation, after
        As in :func:`conv2d_bf16`.
    residual
        float32 ``[m, n]``.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        ``[m, n]``, of ``dtype``.

    Raises
    ------
    ArgumentError
        If shapes or options do not fit.
    ArgumentTypeError
        If an array has another dtype.

    Examples
    --------
    >>> a = narrow_bf16(np.float32([[1, 2], [3, 4]]))
    >>> linear_bf16(a, a, np.float32([0.5, 0.5]), dtype="float32")
    array([[ 7.5, 10.5],
           [15.5, 22.5]], dtype=float32)
    """
    one_of("dtype", dtype, ResultDtype)
    a = as_array("a", a, ndim=2, dtype=np.uint16)
    if a.shape[1] > 1 and a.strides[1] != a.itemsize:
        a = np.ascontiguousarray(a)
    b = as_array("b", b, ndim=2, dtype=np.uint16)
    if a.shape[1] != b.shape[0]:
        raise ArgumentError(f"a of shape {a.shape} and b of shape {b.shape} do not fit")
    shape = (a.shape[0], b.shape[1])
    if residual is not None:
        residual = np.ascontiguousarray(as_array("residual", residual, ndim=2))
        check_shape("residual", residual, shape)
    y = output(out, shape, dtype)
    inputs = [a, np.ascontiguousarray(b), _bias(bias, b.shape[1]), residual]
    how = _epilogue(activation, after)
    call("linear_bf16", inputs, [y], how, constants=(1,), threads=threads, isa=isa)
    return y


def max_pool_bf16(
    x: ArrayLike,
    kernel: Pair,
    strides: Pair | None = None,
    pads: Pads = (0, 0, 0, 0),
    dilations: Pair = (1, 1),
    *,
    ceil_mode: bool = False,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """Largest bfloat16 of every window, as :func:`pyhades.kernels.max_pool` of wider numbers.

    Parameters
    ----------
    x
        uint16 ``[n, c, h, w]``: the bits of bfloat16. Fastest where channels are contiguous; other
        arrays are copied.
    kernel, strides, pads, dilations, ceil_mode
        As in :func:`pyhades.kernels.max_pool`.
    out, threads, isa
        See :mod:`pyhades.kernels`; here ``out`` may have any strides.

    Returns
    -------
    ndarray
        uint16 ``[n, c, oh, ow]``, a new one with contiguous channels. NaN never wins.

    Raises
    ------
    ArgumentError
        If the window does not fit.
    ArgumentTypeError
        If ``x`` is not uint16.

    Examples
    --------
    >>> x = narrow_bf16(np.arange(-4, 0, dtype=np.float32).reshape(1, 1, 2, 2))
    >>> hex(max_pool_bf16(x, (2, 2)).item())
    '0xbf80'
    """
    x = channels_last(as_array("x", x, ndim=4, dtype=np.uint16))
    attributes = window_attributes(kernel, strides, pads, dilations)
    shape = pooled_shape(x.shape, attributes, ceil_mode)
    target = None if out is None else output(out, shape, np.uint16, any_strides=True)
    is_last = target is not None and (target.strides[1] == target.itemsize or shape[1] == 1)
    y = target if target is not None and is_last else empty_channels_last(shape, np.uint16)
    call("max_pool_bf16", [x], [y], attributes, threads=threads, isa=isa)
    if target is None or is_last:
        return y
    target[...] = y
    return target


def _bias(bias: ArrayLike | None, channels: int) -> Array | None:
    if bias is None:
        return None
    vector = np.ascontiguousarray(as_array("bias", bias, ndim=1))
    check_shape("bias", vector, (channels,))
    return vector


def _epilogue(activation: Activation | None, after: Activation | None) -> dict[str, Any]:
    behind = {
        name.replace("activation", "after"): value
        for name, value in activation_attributes(after).items()
    }
    return {**activation_attributes(activation), **behind}
