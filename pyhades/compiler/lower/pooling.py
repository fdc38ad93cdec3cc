"""Pooling over windows of channels-last images."""

from __future__ import annotations

from pyhades.compiler.lower.convolution import image_input, image_output, two, window_attributes
from pyhades.compiler.lowering import Lowering, lowers
from pyhades.ir.graph import Node
from pyhades.ir.ops.pooling import pool_window
from pyhades.ir.registry import attribute


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
    x = image_input(lowering, node)
    geometry = pool_window(node, lowering.input(node, 0).shape)
    lowering.emit(
        "average_pool",
        [x],
        [image_output(lowering, node)],
        kernel=two(geometry.kernel, 1),
        **window_attributes(geometry),
        count_include_pad=attribute(node, "count_include_pad"),
    )
