"""Operators on bytes: uint8 values, each of which stands for ``(q - zero) * scale``.

Where a grid of activations has 8 bits, one scale and one zero point, the pass
:func:`~pyhades.passes.integers.compute_in_integers` lets values be the bytes themselves. Scales and
zero points are then attributes of the operators that read and write them, and what the operators
compute is written down in :mod:`pyhades.numerics.integers`. What only moves elements needs no
operator of its own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from pyhades.ir.graph import Node, TensorType
from pyhades.ir.ops.convolution import (
    CONV_ATTRIBUTES,
    TRANSPOSED_ATTRIBUTES,
    Conv,
    ConvTranspose,
    conv_window,
    transposed_window,
)
from pyhades.ir.ops.fused import EPILOGUE, stage
from pyhades.ir.ops.matrix import MatMul
from pyhades.ir.ops.pooling import POOL_ATTRIBUTES, AveragePool, pool_window
from pyhades.ir.ops.resize import RESIZE_ATTRIBUTES, Resize, resize_axes, sampling_of
from pyhades.ir.quantization import Quantization
from pyhades.ir.registry import Array, Operator, attribute, ir_op, operator
from pyhades.ir.shapes import Shape, agree, concrete, fail, shape_of
from pyhades.ir.signature import DType
from pyhades.numerics import byte_images, integers
from pyhades.numerics.convolution import convolve_transposed
from pyhades.numerics.pooling import numbers_seen

FINISH: dict[str, Any] = {
    **EPILOGUE,
    "x_zero": 0,
    "residual_scale": 1.0,
    "residual_zero": 0,
    "via_step": 0.0,
    "via_scale": 1.0,
    "via_zero": 0,
    "y_scale": 1.0,
    "y_zero": 0,
    "to": np.dtype(np.float32),
}
"""What products of integers have in common; ``y_scale`` and ``y_zero`` count where ``to`` is uint8.

Where ``via_step`` is not 0, what the activation gives goes through the points of a grid.
"""

BIAS, RESIDUAL, FACTOR, OFFSET, RUN_TIME_ZERO = 2, 3, 4, 5, 6
"""Inputs of a product after the two that are multiplied."""


@ir_op("QuantizeU8", "float32 -> uint8", scale=1.0, zero=0)
class QuantizeU8(Operator):
    """The bytes of the nearest points of a grid."""

    flops_per_element = 4

    def shapes(self, node: Node) -> list[Shape]:
        return [shape_of(node, 0)]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        return [integers.quantize(inputs[0], _grid(node))]


@ir_op("DequantizeU8", "uint8 -> float32", scale=1.0, zero=0)
class DequantizeU8(Operator):
    """What bytes stand for."""

    flops_per_element = 2

    def shapes(self, node: Node) -> list[Shape]:
        return [shape_of(node, 0)]

    def infer(self, node: Node) -> list[TensorType]:
        own = _grid(node)
        grid = Quantization(np.array(own.scale, np.float32), np.array(own.zero, np.uint8), "uint8")
        return [replace(kind, quantization=grid) for kind in super().infer(node)]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        return [integers.dequantize(inputs[0], _grid(node))]


@ir_op("Requantize", "uint8 -> uint8", scale=1.0, zero=0, y_scale=1.0, y_zero=0)
class Requantize(Operator):
    """From one grid of bytes to another."""

    flops_per_element = 6

    def shapes(self, node: Node) -> list[Shape]:
        return [shape_of(node, 0)]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        return [integers.requantize(inputs[0], _grid(node), _grid(node, "y_"))]


@ir_op("LookUp", "uint8, uint8 -> uint8")
class LookUp(Operator):
    """A function of bytes, whose 256 values are the second operand."""

    flops_per_element = 1

    def shapes(self, node: Node) -> list[Shape]:
        if shape_of(node, 1) != (256,):
            fail(node, "the table must have 256 entries")
        return [shape_of(node, 0)]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        return [integers.look_up(*inputs)]


def _grid(node: Node, of: str = "") -> integers.Grid:
    return integers.Grid(float(attribute(node, f"{of}scale")), int(attribute(node, f"{of}zero")))


def _via(node: Node) -> integers.Via | None:
    step, scale, zero = (attribute(node, f"via_{name}") for name in ("step", "scale", "zero"))
    return integers.Via(float(step), float(scale), int(zero)) if step else None


class _Product(Operator):
    """What QConv, QConvTranspose and QMatMul share: the inputs after the first two, and the end.

    ``bias`` int32 is added to the sums; they are multiplied by ``factor``, and ``offset`` is added,
    both float32 and one per output channel. The residual has the shape of the result.
    """

    channel_axis = 1
    float_operator = ""

    def dtypes(self, node: Node) -> list[DType]:
        return [np.dtype(attribute(node, "to"))]

    def shapes(self, node: Node) -> list[Shape]:
        plain = Node(self.float_operator, node.inputs[:2], [], node.attributes, node.name)
        result = operator(self.float_operator).shapes(plain)
        channels = result[0][self.channel_axis]
        for index, what in ((BIAS, "bias"), (FACTOR, "factors"), (OFFSET, "offsets")):
            if node.input(index) is None:
                continue
            if len(shape_of(node, index)) != 1:
                fail(node, f"the {what} must have rank 1")
            agree(node, shape_of(node, index)[0], channels, f"{what} and output channels")
        return result

    def finished(self, node: Node, sums: Array, inputs: tuple[Any, ...]) -> list[Array]:
        """From int32 sums to the result."""
        residual, factor, offset = (*inputs, None, None)[3:6]
        column = [1] * sums.ndim
        column[self.channel_axis] = -1
        return [
            integers.finished(
                sums,
                factor.reshape(column),
                None if offset is None else offset.reshape(column),
                stage(node, "activation"),
                residual,
                _grid(node, "residual_"),
                stage(node, "after"),
                _grid(node, "y_") if attribute(node, "to") == np.uint8 else None,
                _via(node),
            )
        ]

    def zero(self, node: Node, inputs: tuple[Any, ...]) -> int:
        """The zero point of x, which may be an input."""
        if len(inputs) > RUN_TIME_ZERO and inputs[RUN_TIME_ZERO] is not None:
            return int(inputs[RUN_TIME_ZERO].reshape(()))
        return int(attribute(node, "x_zero"))


_SIGNATURE = "uint8, int8, int32?, *?, float32, float32?, uint8? -> *"


@ir_op("QConv", _SIGNATURE, **CONV_ATTRIBUTES, **FINISH)
class QConv(_Product, Conv):
    """A convolution of bytes minus their zero point and int8 weights; pads are zero points."""

    float_operator = "Conv"

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, w, bias = inputs[:3]
        geometry, groups = conv_window(node, x.shape, w.shape), attribute(node, "group")
        sums = integers.convolved(x, self.zero(node, inputs), w, bias, geometry, groups)
        return self.finished(node, sums, inputs)


@ir_op("QConvTranspose", _SIGNATURE, **TRANSPOSED_ATTRIBUTES, **FINISH)
class QConvTranspose(_Product, ConvTranspose):
    """The transposed convolution of bytes minus their zero point and int8 weights."""

    float_operator = "ConvTranspose"

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, w, bias = inputs[:3]
        geometry, groups = transposed_window(node, x.shape, w.shape), attribute(node, "group")
        counts = concrete(geometry.output)
        # In float64, where the sums are exact.
        centred, wide = x.astype(np.float64) - self.zero(node, inputs), w.astype(np.float64)
        added = None if bias is None else bias.astype(np.float64)
        sums = convolve_transposed(centred, wide, added, geometry, groups, counts)
        return self.finished(node, sums.astype(np.int64).astype(np.int32), inputs)


@ir_op("QMatMul", _SIGNATURE, **FINISH)
class QMatMul(_Product, MatMul):
    """Rows of bytes minus their zero point times one int8 matrix."""

    channel_axis = -1
    float_operator = "MatMul"

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        a, b, bias = inputs[:3]
        return self.finished(node, integers.multiplied(a, self.zero(node, inputs), b, bias), inputs)


_GRIDS: dict[str, Any] = {"x_scale": 1.0, "x_zero": 0, "y_scale": 1.0, "y_zero": 0}


@ir_op(
    "QResize",
    "uint8, float32?, float32?, int64? -> uint8",
    **RESIZE_ATTRIBUTES,
    **_GRIDS,
    then_factor=0.0,
    then_zero=0,
)
class QResize(Resize):
    """Interpolation of bytes to the nearest ones of a grid; ``Resize`` cuts fractions off.

    With a ``then_factor``, these are multiplied by it, and go to a grid with another zero point.
    """

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, roi, scales, sizes = (*inputs, None, None, None)[:4]
        axes = resize_axes(node, x.shape, roi, scales, sizes)
        grids, factor = (_grid(node, "x_"), _grid(node, "y_")), attribute(node, "then_factor")
        then = (factor, attribute(node, "then_zero")) if factor else None
        return [byte_images.resize_u8(x, axes, sampling_of(node), *grids, then)]


@ir_op("QAveragePool", "uint8 -> uint8", **POOL_ATTRIBUTES, count_include_pad=0, **_GRIDS)
class QAveragePool(AveragePool):
    """Means of windows of bytes, as bytes."""

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        (x,) = inputs
        geometry = pool_window(node, x.shape)
        counts = concrete(geometry.output)
        include = bool(attribute(node, "count_include_pad"))
        seen = numbers_seen(x.shape, geometry, counts, include)
        return [
            byte_images.average_pool_u8(
                x, geometry, counts, seen, _grid(node, "x_"), _grid(node, "y_")
            )
        ]
