"""Pooling over windows and regions of channels-last images, and folding of windows."""

from __future__ import annotations

from typing import Any

from pyhades.compiler.lower.convolution import image_input, image_output, two, window_attributes
from pyhades.compiler.lowering import Lowering, lowers
from pyhades.ir.graph import Node
from pyhades.ir.ops.fold import Col2Im
from pyhades.ir.ops.pooling import pool_window
from pyhades.ir.ops.roi import is_half_pixel
from pyhades.ir.registry import attribute, operator
from pyhades.ir.shapes import integers_of


@lowers("MaxPool")
def lower_max_pool(lowering: Lowering, node: Node) -> None:
    """max_pool, with indices where they are asked for."""
    x = image_input(lowering, node)
    geometry = pool_window(node, lowering.input(node, 0).shape)
    outputs = [image_output(lowering, node, index) for index in range(len(node.outputs))]
    lowering.emit(
        "max_pool",
        [x],
        outputs,
        kernel=two(geometry.kernel, 1),
        **window_attributes(geometry),
        storage_order=attribute(node, "storage_order"),
    )


@lowers("AveragePool")
def lower_average_pool(lowering: Lowering, node: Node) -> None:
    """average_pool."""
    emit_average_pool(lowering, node)


def emit_average_pool(lowering: Lowering, node: Node, **grids: Any) -> None:
    """average_pool of floats, or of bytes from one grid to another."""
    x = image_input(lowering, node)
    geometry = pool_window(node, lowering.input(node, 0).shape)
    lowering.emit(
        "average_pool",
        [x],
        [image_output(lowering, node)],
        kernel=two(geometry.kernel, 1),
        **window_attributes(geometry),
        count_include_pad=attribute(node, "count_include_pad"),
        **grids,
    )


@lowers("RoiAlign")
def lower_roi_align(lowering: Lowering, node: Node) -> None:
    """roi_align."""
    images = lowering.dense(lowering.input(node, 2))
    lowering.emit(
        "roi_align",
        [image_input(lowering, node), lowering.input(node, 1), images],
        [image_output(lowering, node)],
        mode="max" if attribute(node, "mode") == "max" else "average",
        sampling_ratio=attribute(node, "sampling_ratio"),
        scale=float(attribute(node, "spatial_scale")),
        half_pixel=int(is_half_pixel(node)),
    )


@lowers("MaxRoiPool")
def lower_max_roi_pool(lowering: Lowering, node: Node) -> None:
    """roi_max_pool."""
    lowering.emit(
        "roi_max_pool",
        [image_input(lowering, node), lowering.input(node, 1)],
        [image_output(lowering, node)],
        scale=float(attribute(node, "spatial_scale")),
    )


@lowers("Col2Im")
def lower_col2im(lowering: Lowering, node: Node) -> None:
    """fold; the columns have to lie one after the other."""
    rule = operator("Col2Im")
    assert isinstance(rule, Col2Im)
    image, block = integers_of(node, 1) or [], integers_of(node, 2) or []
    geometry = rule.window(node, image, block)
    lowering.emit(
        "fold",
        [lowering.dense(lowering.input(node, 0))],
        [lowering.output(node.outputs[0])],
        kernel=list(geometry.kernel),
        strides=list(geometry.strides),
        pads=[*geometry.pads_begin, *geometry.pads_end],
        dilations=list(geometry.dilations),
    )
