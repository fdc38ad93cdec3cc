"""Two-dimensional convolution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from pyhades.arguments import one_of
from pyhades.errors import ArgumentError
from pyhades.kernels.arguments import Array, as_array, call, check_shape, output
from pyhades.kernels.epilogue import Activation, activation_attributes

Layout = Literal["NCHW", "NHWC"]
"""The order of the axes of images."""
Algorithm = Literal["auto", "direct", "winograd"]


def as_nchw(x: Array, layout: str) -> Array:
    """``x`` with its axes in the order n, c, h, w; a view."""
    return x.transpose(0, 3, 1, 2) if layout == "NHWC" else x


def channels_last(x: Array) -> Array:
    """``x [n, c, h, w]`` with a channel stride of one element; a copy only where it has another."""
    if x.strides[1] == x.itemsize or x.shape[1] == 1:
        return x
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)


def whole_numbers(name: str, value: Sequence[int], count: int, least: int) -> tuple[int, ...]:
    """``value`` as integers, after checking their number and size."""
    numbers = tuple(int(number) for number in value)
    if len(numbers) != count or min(numbers) < least:
        raise ArgumentError(f"{name}={value!r}: expected {count} integers of at least {least}")
    return numbers


def empty_channels_last(shape: tuple[int, ...], dtype: DTypeLike = np.float32) -> Array:
    """A new array of shape ``[n, c, h, w]`` whose channels are contiguous."""
    n, c, h, w = shape
    return np.empty((n, h, w, c), dtype).transpose(0, 3, 1, 2)


def image_output(
    out: Array | None, shape: tuple[int, ...], layout: str, dtype: DTypeLike = np.float32
) -> Array:
    """``out`` after checking it, or a new array; a slice of channels will do."""
    result = output(out, shape, dtype, any_strides=layout == "NHWC")
    if result.size and shape[3] > 1 and result.strides[3] != result.itemsize:
        raise ArgumentError("out must have contiguous channels; a slice of them will do")
    return result


def output_size(
    size: tuple[int, int],
    kernel: tuple[int, int],
    strides: Sequence[int],
    pads: Sequence[int],
    dilations: Sequence[int],
) -> tuple[int, int]:
    """Height and width of a convolution's output (ONNX: rounded down)."""
    spans = [(kernel[axis] - 1) * dilations[axis] + 1 for axis in range(2)]
    rooms = [size[axis] + pads[axis] + pads[axis + 2] - spans[axis] for axis in range(2)]
    if min(rooms) < 0:
        raise ArgumentError(
            f"the kernel spans {spans[0]} x {spans[1]} pixels, more than the padded input "
            f"of {rooms[0] + spans[0]} x {rooms[1] + spans[1]}"
        )
    return rooms[0] // strides[0] + 1, rooms[1] // strides[1] + 1


def conv2d(
    x: ArrayLike,
    w: ArrayLike,
    bias: ArrayLike | None = None,
    strides: Sequence[int] = (1, 1),
    pads: Sequence[int] = (0, 0, 0, 0),
    dilations: Sequence[int] = (1, 1),
    groups: int = 1,
    *,
    activation: Activation | None = None,
    residual: ArrayLike | None = None,
    layout: Layout = "NCHW",
    algorithm: Algorithm = "auto",
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """Convolution of images, ``activation(conv(x, w) + bias) + residual``.

    Parameters
    ----------
    x
        float32 ``[n, c, h, w]``, or ``[n, h, w, c]`` with ``layout="NHWC"``. Any view whose channel
        axis is contiguous is read in place, so NHWC costs no copy; other arrays are copied.
    w
        float32 ``[o, c / groups, kh, kw]`` in both layouts.
    bias
        float32 ``[o]``.
    strides, dilations
        Vertical and horizontal, in pixels.
    pads
        Zeros added at the top, left, bottom and right, in pixels.
    groups
        Divides the channels of ``x`` and of the result into groups that do not see each other.
    activation
        ``"relu"``, ``"sigmoid"``, ``"hard_swish"``, ``"silu"``, ``"gelu_erf"``, ``"gelu_tanh"``,
        ``"tanh"``, ``"round_float16"``; with parameters ``("leaky_relu", alpha)``,
        ``("hard_sigmoid", alpha, beta)``, ``("clip", lower, upper)``. The name alone means the
        defaults of :func:`pyhades.kernels.leaky_relu` and :func:`pyhades.kernels.hard_sigmoid`.
    residual
        float32 of the shape of the result, added after the activation.
    layout
        ``"NCHW"`` or ``"NHWC"``: the order of the axes of ``x``, ``residual`` and the result.
    algorithm
        ``"auto"``, ``"direct"`` or ``"winograd"`` (3x3, stride 1: four times fewer products).
    out, threads, isa
        See :mod:`pyhades.kernels`. ``out`` may be a slice of channels of an NHWC array.

    Returns
    -------
    ndarray
        float32 ``[n, o, oh, ow]`` or ``[n, oh, ow, o]``.

    Raises
    ------
    ArgumentError
        If shapes or options do not fit.
    ArgumentTypeError
        If an array is not float32.

    Examples
    --------
    >>> x = np.ones((1, 1, 3, 3), np.float32)
    >>> conv2d(x, np.ones((1, 1, 3, 3), np.float32), pads=(1, 1, 1, 1))[0, 0]
    array([[4., 6., 4.],
           [6., 9., 6.],
           [4., 6., 4.]], dtype=float32)
    """
    one_of("layout", layout, Layout)
    one_of("algorithm", algorithm, Algorithm)
    x = as_nchw(as_array("x", x, ndim=4), layout)
    w = np.ascontiguousarray(as_array("w", w, ndim=4))
    strides = whole_numbers("strides", strides, 2, 1)
    dilations = whole_numbers("dilations", dilations, 2, 1)
    pads = whole_numbers("pads", pads, 4, 0)
    if groups < 1 or x.shape[1] != w.shape[1] * groups or w.shape[0] % groups:
        raise ArgumentError(
            f"w of shape {w.shape} with groups={groups} does not fit {x.shape[1]} input channels"
        )
    if bias is not None:
        bias = np.ascontiguousarray(as_array("bias", bias, ndim=1))
        check_shape("bias", bias, (w.shape[0],))
    height, width = output_size(x.shape[2:], w.shape[2:], strides, pads, dilations)
    shape = (x.shape[0], w.shape[0], height, width)
    named = shape if layout == "NCHW" else (shape[0], height, width, shape[1])
    if residual is not None:
        residual = as_array("residual", residual, ndim=4)
        check_shape("residual", residual, named)
        residual = channels_last(as_nchw(residual, layout))

    result = image_output(out, named, layout)
    target = as_nchw(result, layout)
    # Planar results are computed channels-last and copied.
    y = target if layout == "NHWC" else empty_channels_last(shape)
    attributes: dict[str, Any] = {
        "strides": strides,
        "pads": pads,
        "dilations": dilations,
        "groups": groups,
        **activation_attributes(activation),
        "algorithm": algorithm,
    }
    call(
        "conv2d",
        [channels_last(x), w, bias, residual],
        [y],
        attributes,
        constants=(1,),
        threads=threads,
        isa=isa,
    )
    if y is not target:
        target[...] = y
    return result
