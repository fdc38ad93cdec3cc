"""Operators on bytes: products of integers, and the way from one grid to another."""

from __future__ import annotations

from typing import Any

from pyhades.compiler.lower.convolution import (
    as_image,
    epilogue,
    image_input,
    image_output,
    window_attributes,
)
from pyhades.compiler.lower.elementwise import elementwise
from pyhades.compiler.lower.matrix import emit_rows
from pyhades.compiler.lower.pooling import emit_average_pool
from pyhades.compiler.lower.resample import emit_resize
from pyhades.compiler.lower.transposed import Transposed
from pyhades.compiler.lowering import Lowering, lowers
from pyhades.compiler.view import View
from pyhades.ir.graph import Node
from pyhades.ir.ops.convolution import conv_window
from pyhades.ir.ops.integers import BIAS, FACTOR, OFFSET, RESIDUAL, RUN_TIME_ZERO
from pyhades.ir.registry import attribute


def finishing(node: Node) -> dict[str, Any]:
    """The attributes of a product of integers that say what becomes of its sums."""
    names = ["x_zero", "y_zero", "y_scale", "residual_zero", "residual_scale"]
    if attribute(node, "via_step"):
        names += ["via_step", "via_scale", "via_zero"]
    return {name: attribute(node, name) for name in names} | epilogue(node)


def _terms(lowering: Lowering, node: Node, residual: View | None) -> list[View | None]:
    """What follows x and w, in the order of the native operators."""
    bias, factor, offset, zero = (
        lowering.optional(node, index) for index in (BIAS, FACTOR, OFFSET, RUN_TIME_ZERO)
    )
    terms = [bias, factor, offset, residual]
    return terms if zero is None else [*terms, zero]


@lowers("QConv")
def lower_qconv(lowering: Lowering, node: Node) -> None:
    """qconv2d with its epilogue."""
    x, weight = image_input(lowering, node), lowering.input(node, 1)
    geometry = conv_window(node, lowering.input(node, 0).shape, weight.shape)
    residual = lowering.optional(node, RESIDUAL)
    if residual is not None:
        residual = lowering.channels_last(as_image(residual))
    w = as_image(lowering.dense(weight))
    lowering.emit(
        "qconv2d",
        [x, w, *_terms(lowering, node, residual)],
        [image_output(lowering, node)],
        **window_attributes(geometry),
        groups=attribute(node, "group"),
        **finishing(node),
    )


@lowers("QConvTranspose")
def lower_qconv_transpose(lowering: Lowering, node: Node) -> None:
    """qconv2d per phase."""
    order = (BIAS, FACTOR, OFFSET, RESIDUAL)
    Transposed(lowering, node, "qconv2d", order, finishing(node)).emit()


@lowers("QMatMul")
def lower_qmatmul(lowering: Lowering, node: Node) -> None:
    """Qlinear over all rows of all stacks."""
    residual = lowering.optional(node, RESIDUAL)
    residual = None if residual is None else lowering.rows(residual)
    inputs = [
        lowering.rows(lowering.input(node, 0)),
        lowering.dense(lowering.input(node, 1)),
        *_terms(lowering, node, residual),
    ]
    emit_rows(lowering, node, "qlinear", inputs, **finishing(node))


@lowers("QuantizeU8", "DequantizeU8")
def lower_grid(lowering: Lowering, node: Node) -> None:
    """quantize_u8 and dequantize_u8."""
    op = "quantize_u8" if node.op == "QuantizeU8" else "dequantize_u8"
    value = node.inputs[0]
    assert value is not None
    grid = {name: attribute(node, name) for name in ("scale", "zero")}
    elementwise(lowering, op, [value], node.outputs[0], **grid)


@lowers("Requantize")
def lower_requantize(lowering: Lowering, node: Node) -> None:
    """Requantize."""
    value = node.inputs[0]
    assert value is not None
    grids = {
        "x_scale": attribute(node, "scale"),
        "x_zero": attribute(node, "zero"),
        "y_scale": attribute(node, "y_scale"),
        "y_zero": attribute(node, "y_zero"),
    }
    elementwise(lowering, "requantize", [value], node.outputs[0], **grids)


@lowers("LookUp")
def lower_lookup(lowering: Lowering, node: Node) -> None:
    """Lookup."""
    value, table = node.inputs[0], lowering.dense(lowering.input(node, 1))
    assert value is not None
    elementwise(lowering, "lookup", [value], node.outputs[0], whole=[table])


def _grids(node: Node) -> dict[str, Any]:
    names = ("x_scale", "x_zero", "y_scale", "y_zero")
    return {name: attribute(node, name) for name in names}


@lowers("QResize")
def lower_qresize(lowering: Lowering, node: Node) -> None:
    """resize, to the nearest byte of a grid."""
    then = {name: attribute(node, name) for name in ("then_factor", "then_zero")}
    emit_resize(lowering, node, rounding="nearest", **_grids(node), **then)


@lowers("QAveragePool")
def lower_qaverage_pool(lowering: Lowering, node: Node) -> None:
    """average_pool of bytes."""
    emit_average_pool(lowering, node, **_grids(node))
