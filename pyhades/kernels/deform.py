"""Deformable convolution of images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from pyhades.errors import ArgumentError
from pyhades.kernels.arguments import Array, as_array, call, check_shape, output
from pyhades.kernels.conv import output_size
from pyhades.kernels.epilogue import Activation, activation_attributes


def deform_conv2d(
    x: ArrayLike,
    w: ArrayLike,
    offset: ArrayLike,
    bias: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    strides: Sequence[int] = (1, 1),
    pads: Sequence[int] = (0, 0, 0, 0),
    dilations: Sequence[int] = (1, 1),
    groups: int = 1,
    offset_groups: int = 1,
    *,
    activation: Activation | None = None,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """Convolution whose taps lie where ``offset`` moves them: ``activation(conv + bias)``.

    Parameters
    ----------
    x
        float32 ``[n, c, h, w]``. A view whose channels are contiguous is read in place; another is
        copied.
    w
        float32 ``[o, c / groups, kh, kw]``.
    offset
        float32 ``[n, offset_groups * kh * kw * 2, oh, ow]``, any strides: per tap how far down and
        how far right it is moved, in pixels. Samples between pixels are interpolated linearly,
        those outside are zero.
    bias
        float32 ``[o]``.
    mask
        float32 ``[n, offset_groups * kh * kw, oh, ow]``, any strides: a factor per sample.
    strides, pads, dilations, groups, activation
        See :func:`pyhades.kernels.conv2d`.
    offset_groups
        Divides the channels of ``x`` into groups that are moved alike.
    out, threads, isa
        See :mod:`pyhades.kernels`; here ``out`` may have any strides.

    Returns
    -------
    ndarray
        float32 ``[n, o, oh, ow]`` in the memory order of ``x`` (channels last or contiguous).

    Raises
    ------
    ArgumentError
        If shapes or options do not fit.
    ArgumentTypeError
        If an array is not float32.

    Examples
    --------
    >>> x = np.arange(9, dtype=np.float32).reshape(1, 1, 3, 3)
    >>> half = np.full((1, 2, 3, 3), 0.5, np.float32)
    >>> deform_conv2d(x, np.ones((1, 1, 1, 1), np.float32), half)[0, 0]
    array([[2.  , 3.  , 1.75],
           [5.  , 6.  , 3.25],
           [3.25, 3.75, 2.  ]], dtype=float32)
    """
    x, w = as_array("x", x, ndim=4), np.ascontiguousarray(as_array("w", w, ndim=4))
    offset = as_array("offset", offset, ndim=4)
    _check_groups(x, w, groups, offset_groups)
    _check_window(strides, pads, dilations)
    shape = _result_shape(x, w, strides, pads, dilations)
    taps = offset_groups * w.shape[2] * w.shape[3]
    check_shape("offset", offset, (len(x), 2 * taps, *shape[2:]))
    if bias is not None:
        bias = np.ascontiguousarray(as_array("bias", bias, ndim=1))
        check_shape("bias", bias, (len(w),))
    if mask is not None:
        mask = as_array("mask", mask, ndim=4)
        check_shape("mask", mask, (len(x), taps, *shape[2:]))
    is_last = x.shape[1] > 1 and x.strides[1] == x.itemsize
    source = x if is_last or x.shape[1] == 1 else _channels_last(x)
    y = np.empty((shape[0], *shape[2:], shape[1]), np.float32).transpose(0, 3, 1, 2)
    attributes = {
        "strides": [int(step) for step in strides],
        "pads": [int(count) for count in pads],
        "dilations": [int(step) for step in dilations],
        "groups": groups,
        "offset_groups": offset_groups,
        **activation_attributes(activation),
    }
    if out is not None:
        out = output(out, shape, any_strides=True)
    operands = [source, w, offset, bias, mask]
    call("deform_conv2d", operands, [y], attributes, threads=threads, isa=isa)
    if out is not None:
        out[...] = y
        return out
    return y if is_last else np.ascontiguousarray(y)


def _channels_last(x: Array) -> Array:
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)


def _check_groups(x: Array, w: Array, groups: int, offset_groups: int) -> None:
    if groups < 1 or x.shape[1] != w.shape[1] * groups or w.shape[0] % groups:
        raise ArgumentError(
            f"w of shape {w.shape} with groups={groups} does not fit {x.shape[1]} input channels"
        )
    if offset_groups < 1 or x.shape[1] % offset_groups:
        raise ArgumentError(f"offset_groups={offset_groups} must divide {x.shape[1]} channels")


def _check_window(strides: Sequence[int], pads: Sequence[int], dilations: Sequence[int]) -> None:
    for name, values, count, least in (
        ("strides", strides, 2, 1),
        ("pads", pads, 4, 0),
        ("dilations", dilations, 2, 1),
    ):
        if len(values) != count or min(values) < least:
            raise ArgumentError(f"{name}={values!r}: expected {count} integers of at least {least}")


def _result_shape(
    x: Array, w: Array, strides: Sequence[int], pads: Sequence[int], dilations: Sequence[int]
) -> tuple[int, int, int, int]:
    kernel = (w.shape[2], w.shape[3])
    height, width = output_size(x.shape[2:], kernel, strides, pads, dilations)
    return len(x), len(w), height, width
