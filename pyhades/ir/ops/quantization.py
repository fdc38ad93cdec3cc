"""Quantised numbers: onto a grid, to its integers and back, and products of integers.

``storage`` names the type of the integers in the file; see :mod:`pyhades.numerics.quantization`.
Scales are float32. A scale or a zero point is one number, a vector along ``axis``, or one per block
of ``block_size`` positions of it; an omitted zero point is 0.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from pyhades.ir.graph import Node, TensorType
from pyhades.ir.ops.convolution import CONV_ATTRIBUTES, Conv
from pyhades.ir.ops.elementwise import widened
from pyhades.ir.ops.matrix import MatMul
from pyhades.ir.quantization import Quantization
from pyhades.ir.registry import Array, Operator, attribute, ir_op
from pyhades.ir.shapes import Shape, agree, fail, normalize_axis, require_broadcast_to, shape_of
from pyhades.ir.signature import DType
from pyhades.numerics import quantization as grid
from pyhades.numerics.matrix import product

GRID: dict[str, Any] = {"axis": 1, "block_size": 0, "storage": "uint8"}
"""What the three operators have in common."""


def is_one(shape: Shape) -> bool:
    """Whether a scale or zero point of this shape is one for the whole tensor."""
    return len(shape) == 0 or shape == (1,)


def axis_of(node: Node) -> int | None:
    """The axis that scales and zero points of ``node`` belong to; None where there is one each."""
    parameters = [shape_of(node, 1)] + ([shape_of(node, 2)] if node.input(2) is not None else [])
    if all(is_one(shape) for shape in parameters):
        return None
    x = shape_of(node, 0)
    return normalize_axis(node, attribute(node, "axis"), len(x))


def zero_of(scale: Array, zero_point: Array | None) -> Array:
    """The zero point, zeros where it was omitted."""
    return np.zeros(scale.shape, np.int32) if zero_point is None else zero_point


class OnGrid(Operator):
    """An operator of x, a scale and an optional zero point; the result has the shape of x."""

    flops_per_element = 4

    def shapes(self, node: Node) -> list[Shape]:
        x, scale = shape_of(node, 0), shape_of(node, 1)
        storage = attribute(node, "storage")
        if storage not in grid.LIMITS:
            fail(node, f"storage {storage!r} is none of {', '.join(grid.LIMITS)}")
        self._check_parameter(node, x, scale, "scales")
        if node.input(2) is not None:
            self._check_parameter(node, x, shape_of(node, 2), "zero points")
        return [x]

    @staticmethod
    def _check_parameter(node: Node, x: Shape, parameter: Shape, what: str) -> None:
        axis = axis_of(node)
        if axis is None or is_one(parameter):
            return
        block = attribute(node, "block_size")
        if not block and len(parameter) == 1:
            agree(node, parameter[0], x[axis], f"{what} and extents of axis {axis}")
            return
        if len(parameter) != len(x):
            fail(node, f"{what} have rank {len(parameter)}, x has rank {len(x)}")
        if not block:
            require_broadcast_to(node, parameter, x, what)
            return
        extent, blocks = x[axis], parameter[axis]
        if not (isinstance(extent, int) and isinstance(blocks, int)):
            return
        if block < 0 or -(-extent // block) != blocks:
            fail(node, f"{blocks} {what} along axis {axis} are not one per {block} of {extent}")

    def spread(self, node: Node, x: Array, scale: Array, zero: Array | None) -> tuple[Array, Array]:
        """Scale and zero point, so that they broadcast to x."""
        axis = axis_of(node) or 0
        block = attribute(node, "block_size")
        pair = (scale, zero_of(scale, zero))
        first, second = (grid.spread(array, x.shape, axis, block) for array in pair)
        return first, second

    def grid(self, node: Node) -> Quantization | None:
        """The grid of ``node``, where it is constant."""
        scale, zero = node.inputs[1], node.input(2)
        if scale is None or scale.data is None:
            return None
        if zero is not None and zero.data is None:
            return self._whole_numbers(node, scale.data)
        axis = axis_of(node)
        return Quantization(
            scale.data,
            None if zero is None else zero.data,
            attribute(node, "storage"),
            axis,
            attribute(node, "block_size") if axis is not None else 0,
        )

    @staticmethod
    def _whole_numbers(node: Node, scale: Array) -> Quantization | None:
        """Steps of 1 from a point that is not known yet: differences of two integers."""
        storage = attribute(node, "storage")
        if not (scale == 1).all() or grid.kept_as(storage).itemsize > 1:
            return None
        return Quantization(np.ones((), np.float32), None, "int16")

    def infer_on_grid(self, node: Node, kinds: list[TensorType]) -> list[TensorType]:
        """``kinds`` with the grid of ``node``."""
        known = kinds[0].shape is not None
        return [replace(kind, quantization=self.grid(node) if known else None) for kind in kinds]


@ir_op("FakeQuantize", "F, float32, Z? -> F", **GRID)
class FakeQuantize(OnGrid):
    """The points of a grid that are nearest to x: what QuantizeLinear and its inverse leave."""

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, *parameters = (*inputs, None)[:3]
        scale, zero = self.spread(node, x, *parameters)
        y = grid.fake_quantize(widened(x), scale, zero, attribute(node, "storage"))
        return [y.astype(x.dtype, copy=False)]

    def infer(self, node: Node) -> list[TensorType]:
        return self.infer_on_grid(node, super().infer(node))


@ir_op("QuantizeLinear", "F, float32, Z? -> *", **GRID)
class QuantizeLinear(OnGrid):
    """The integers of the points of a grid that are nearest to x."""

    def dtypes(self, node: Node) -> list[DType]:
        return [grid.kept_as(attribute(node, "storage"))]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, *parameters = (*inputs, None)[:3]
        scale, zero = self.spread(node, x, *parameters)
        return [grid.quantize(widened(x), scale, zero, attribute(node, "storage"))]


@ir_op("DequantizeLinear", "N, float32, Z? -> *", **GRID, to=np.dtype(np.float32))
class DequantizeLinear(OnGrid):
    """What integers stand for, (q - zero point) * scale, in the dtype ``to``."""

    flops_per_element = 2

    def dtypes(self, node: Node) -> list[DType]:
        return [np.dtype(attribute(node, "to"))]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        q, *parameters = (*inputs, None)[:3]
        scale, zero = self.spread(node, q, *parameters)
        return [grid.dequantize(q, scale, zero).astype(attribute(node, "to"), copy=False)]

    def infer(self, node: Node) -> list[TensorType]:
        return self.infer_on_grid(node, super().infer(node))


def _centred(q: Array, zero: Array | None, axis: int) -> Array:
    """Integers minus their zero point, in float64: exact, as are sums of their products."""
    if zero is None:
        return q.astype(np.float64)
    return q.astype(np.float64) - grid.spread(zero, q.shape, axis, 0).astype(np.float64)


@ir_op("ConvInteger", "Z, Z1, Z2?, Z3? -> int32", **CONV_ATTRIBUTES)
class ConvInteger(Conv):
    """A convolution of integers minus their zero points: of x one, of w one or one per output."""

    def shapes(self, node: Node) -> list[Shape]:
        return super().shapes(Node("Conv", node.inputs[:2], node.outputs, node.attributes))

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, w, x_zero, w_zero = (*inputs, None, None)[:4]
        y = super().reference(node, _centred(x, x_zero, 1), _centred(w, w_zero, 0))[0]
        return [y.astype(np.int64).astype(np.int32)]


@ir_op("MatMulInteger", "Z, Z1, Z2?, Z3? -> int32")
class MatMulInteger(MatMul):
    """A product of integers minus their zero points: per row of a, per column of b, or one."""

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        a, b, a_zero, b_zero = (*inputs, None, None)[:4]
        rows = max(a.ndim - 2, 0)
        y = product(_centred(a, a_zero, rows), _centred(b, b_zero, b.ndim - 1))
        return [y.astype(np.int64).astype(np.int32)]
