"""Convolutions: channels-last images, one row high for rank 3."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from pyhades.compiler.lowering import CHANNELS_LAST, Lowering, lowers
from pyhades.compiler.view import View
from pyhades.ir.graph import Node
from pyhades.ir.ops.convolution import conv_window, transposed_window
from pyhades.ir.ops.fused import EPILOGUE
from pyhades.ir.registry import attribute
from pyhades.ir.window import Window

_ROW_ORDER = (0, 2, 1)
"""Channels-last for rank 3."""


def epilogue(node: Node) -> dict[str, Any]:
    """The epilogue attributes of a fused node."""
    return {name: node.attributes[name] for name in EPILOGUE if name in node.attributes}


def as_image(view: View) -> View:
    """[n, c, w] as [n, c, 1, w]; rank 4 as it is."""
    if view.rank == 4:
        return view
    n, c, w = view.shape
    strides = view.strides
    return replace(view, shape=(n, c, 1, w), strides=(*strides[:2], w * strides[2], strides[2]))


def two(spatial: tuple[int, ...], missing: int) -> list[int]:
    """A value per image axis, ``missing`` for the height that rank 3 lacks."""
    return [missing, *spatial] if len(spatial) == 1 else list(spatial)


def image_output(lowering: Lowering, node: Node, index: int = 0) -> View:
    """Where to store an image-shaped output, channels-last, as rank 4."""
    value = node.outputs[index]
    assert value.type is not None
    rank = len(value.type.static_shape)
    return as_image(lowering.output(value, CHANNELS_LAST if rank == 4 else _ROW_ORDER))


def image_input(lowering: Lowering, node: Node) -> View:
    """Input 0 as a channels-last image; refuses ranks and dtypes without kernel."""
    x = lowering.input(node, 0)
    if x.dtype != np.float32:
        lowering.refuse(node, f"the kernel computes in float32, the input is {x.dtype}")
    if x.rank not in (3, 4):
        lowering.refuse(node, f"only one or two spatial axes are implemented, not {x.rank - 2}")
    return lowering.channels_last(as_image(x))


@lowers("Conv", "FusedConv")
def lower_conv(lowering: Lowering, node: Node) -> None:
    """conv2d with its epilogue."""
    x = image_input(lowering, node)
    weight = lowering.input(node, 1)
    geometry = conv_window(node, lowering.input(node, 0).shape, weight.shape)
    residual = lowering.optional(node, 3)
    if residual is not None:
        residual = lowering.channels_last(as_image(residual))
    lowering.emit(
        "conv2d",
        [x, as_image(lowering.dense(weight)), lowering.optional(node, 2), residual],
        [image_output(lowering, node)],
        **window_attributes(geometry),
        groups=attribute(node, "group"),
        **epilogue(node),
    )


def window_attributes(geometry: Window) -> dict[str, Any]:
    """strides, pads and dilations as image kernels take them."""
    return {
        "strides": two(geometry.strides, 1),
        "pads": two(geometry.pads_begin, 0) + two(geometry.pads_end, 0),
        "dilations": two(geometry.dilations, 1),
    }


@lowers("ConvTranspose")
def lower_conv_transpose(lowering: Lowering, node: Node) -> None:
    """A convolution of the input, spread out with zeros, by the flipped weight."""
    x = lowering.input(node, 0)
    weight = node.inputs[1]
    assert weight is not None
    if x.dtype != np.float32 or x.rank not in (3, 4):
        lowering.refuse(node, f"only float32 with one or two spatial axes, not {x}")
    if weight.data is None:
        lowering.refuse(node, "its weight is not constant")
        return
    geometry = transposed_window(node, x.shape, weight.data.shape)
    spread = _spread(lowering, node, as_image(x), geometry)
    flipped = _flipped(weight.data, attribute(node, "group"))
    lowering.emit(
        "conv2d",
        [
            spread,
            as_image(lowering.constant(flipped, f"{weight.name}.flipped")),
            lowering.optional(node, 2),
            None,
        ],
        [image_output(lowering, node)],
        strides=[1, 1],
        pads=[0, 0, 0, 0],
        dilations=two(geometry.dilations, 1),
        groups=attribute(node, "group"),
    )


def _spread(lowering: Lowering, node: Node, x: View, geometry: Window) -> View:
    """A zeroed image with ``x`` at strides, for a convolution that needs no pads."""
    rank = len(geometry.output)
    extents = two(geometry.extents, 1)
    output = two(tuple(int(extent) for extent in geometry.output), 1)
    assert rank in (1, 2)
    n, c = x.shape[:2]
    canvas = [o + e - 1 for o, e in zip(output, extents, strict=True)]
    zeros = lowering.temporary((n, c, *canvas), x.dtype, CHANNELS_LAST)
    flat = zeros.transpose(CHANNELS_LAST).reshape((zeros.size,))
    lowering.emit("fill", [], [flat], value=0.0)
    target = zeros
    source = x
    before = [e - 1 - p for e, p in zip(extents, two(geometry.pads_begin, 0), strict=True)]
    for axis, (first, step) in enumerate(zip(before, two(geometry.strides, 1), strict=True), 2):
        count = source.shape[axis]
        skipped = math.ceil(-first / step) if first < 0 else 0
        start = first + skipped * step
        kept = min(count - skipped, (canvas[axis - 2] - 1 - start) // step + 1)
        source = source.slice(axis, skipped, max(kept, 0))
        target = target.slice(axis, start, max(kept, 0), step)
    lowering.copy(source, target)
    return zeros


def _flipped(weight: np.ndarray[Any, Any], groups: int) -> np.ndarray[Any, Any]:
    """[c, o / g, ...] to [o, c / g, ...], mirrored along every spatial axis."""
    c, per_group, *kernel = weight.shape
    grouped = weight.reshape(groups, c // groups, per_group, *kernel).swapaxes(1, 2)
    spatial = tuple(range(3, 3 + len(kernel)))
    flipped = np.flip(grouped, spatial).reshape(groups * per_group, c // groups, *kernel)
    return np.ascontiguousarray(flipped)
