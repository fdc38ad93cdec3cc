"""Operators on bfloat16."""

from __future__ import annotations

from pyhades.compiler.lower.convolution import (
    as_image,
    epilogue,
    image_input,
    image_output,
    two,
    window_attributes,
)
from pyhades.compiler.lower.elementwise import elementwise
from pyhades.compiler.lower.matrix import emit_rows
from pyhades.compiler.lowering import Lowering, lowers
from pyhades.ir.graph import Node
from pyhades.ir.ops.bfloat import RESIDUAL
from pyhades.ir.ops.convolution import conv_window
from pyhades.ir.ops.pooling import pool_window
from pyhades.ir.registry import attribute


@lowers("NarrowBF16")
def lower_narrow(lowering: Lowering, node: Node) -> None:
    """narrow_bf16."""
    value = node.inputs[0]
    assert value is not None
    elementwise(lowering, "narrow_bf16", [value], node.outputs[0])


@lowers("BConv")
def lower_bconv(lowering: Lowering, node: Node) -> None:
    """conv2d_bf16 with its epilogue."""
    x, weight = image_input(lowering, node), lowering.input(node, 1)
    geometry = conv_window(node, lowering.input(node, 0).shape, weight.shape)
    residual = lowering.optional(node, RESIDUAL)
    if residual is not None:
        residual = lowering.channels_last(as_image(residual))
    lowering.emit(
        "conv2d_bf16",
        [x, as_image(lowering.dense(weight)), lowering.optional(node, 2), residual],
        [image_output(lowering, node)],
        **window_attributes(geometry),
        groups=attribute(node, "group"),
        **epilogue(node),
    )


@lowers("BMatMul")
def lower_bmatmul(lowering: Lowering, node: Node) -> None:
    """linear_bf16 over all rows of all stacks."""
    residual = lowering.optional(node, RESIDUAL)
    inputs = [
        lowering.rows(lowering.input(node, 0)),
        lowering.input(node, 1),
        lowering.optional(node, 2),
        None if residual is None else lowering.rows(residual),
    ]
    emit_rows(lowering, node, "linear_bf16", inputs, **epilogue(node))


@lowers("BMaxPool")
def lower_bmax_pool(lowering: Lowering, node: Node) -> None:
    """max_pool_bf16."""
    x = image_input(lowering, node)
    geometry = pool_window(node, lowering.input(node, 0).shape)
    lowering.emit(
        "max_pool_bf16",
        [x],
        [image_output(lowering, node)],
        kernel=two(geometry.kernel, 1),
        **window_attributes(geometry),
    )
