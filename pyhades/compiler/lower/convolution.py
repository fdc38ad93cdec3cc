"""Convolutions: channels-last images, one row high for rank 3."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pyhades.compiler.lowering import CHANNELS_LAST, Lowering, lowers
from pyhades.compiler.view import View
from pyhades.ir.graph import Node
from pyhades.ir.ops.convolution import conv_window
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
    """Input 0 as a channels-last image; passes see to it that its rank is 3 or 4."""
    return lowering.channels_last(as_image(lowering.input(node, 0)))


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
        **_algorithm(node),
        **epilogue(node),
    )


def _algorithm(node: Node) -> dict[str, Any]:
    """Numbers on grids are multiplied as they are: of transformed ones no sum is exact."""
    kinds = [value.type for value in node.inputs[:2] if value is not None]
    on_grids = all(kind is not None and kind.quantization is not None for kind in kinds)
    return {"algorithm": "direct"} if on_grids else {}


def window_attributes(geometry: Window) -> dict[str, Any]:
    """strides, pads and dilations as image kernels take them."""
    return {
        "strides": two(geometry.strides, 1),
        "pads": two(geometry.pads_begin, 0) + two(geometry.pads_end, 0),
        "dilations": two(geometry.dilations, 1),
    }


@lowers("DeformConv")
def lower_deform_conv(lowering: Lowering, node: Node) -> None:
    """deform_conv2d; offsets and mask are read where they lie."""
    x, weight = image_input(lowering, node), lowering.input(node, 1)
    geometry = conv_window(node, lowering.input(node, 0).shape, weight.shape)
    fields = [lowering.optional(node, index) for index in (2, 3, 4)]
    lowering.emit(
        "deform_conv2d",
        [x, lowering.dense(weight), *fields],
        [image_output(lowering, node)],
        **window_attributes(geometry),
        groups=attribute(node, "group"),
        offset_groups=attribute(node, "offset_group"),
    )
