"""Constants of products as int8, and what their sums are multiplied by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pyhades.ir.graph import Node, Value
from pyhades.ir.grid_points import integers_of
from pyhades.ir.quantization import Quantization
from pyhades.ir.registry import attribute
from pyhades.ir.shapes import shape
from pyhades.numerics.quantization import spread
from pyhades.passes.decompose.rule import source
from pyhades.passes.rewriting import Array

_LARGEST_BIAS = 1 << 23
_MOST_PRODUCTS = 65535


class NotInIntegers(Exception):
    """Why a product of numbers on grids is computed in floats."""


@dataclass(frozen=True)
class Weight:
    """int8 in the shape of the weight, and the scale of each output channel, float32."""

    integers: Array
    scales: Array


def weight_of(node: Node) -> Weight:
    """The second operand of a product.

    Raises
    ------
    NotInIntegers
        It has no integers, or they do not do.
    """
    value = source(node, 1)
    grid = None if value.type is None else value.type.quantization
    if grid is None:
        raise NotInIntegers("the weight lies on no grid")
    if not value.is_constant:
        raise NotInIntegers("the weight is computed")
    axis, channels = _output_axis(node, value)
    if grid.axis is not None and (grid.axis != axis or grid.block_size or grid.scale.ndim != 1):
        raise NotInIntegers(f"the weight has other scales than one per output channel: {grid}")
    centred = _centred(value, grid)
    if centred.min(initial=0) < -128 or centred.max(initial=0) > 127:
        raise NotInIntegers("weights minus their zero point do not fit into int8")
    if channels and centred.size // channels > _MOST_PRODUCTS:
        raise NotInIntegers(f"sums of more than {_MOST_PRODUCTS} products may not fit into int32")
    scales = np.broadcast_to(grid.scale.astype(np.float32).reshape(-1), (channels,))
    return Weight(np.ascontiguousarray(centred, np.int8), scales)


def _output_axis(node: Node, value: Value) -> tuple[int, int]:
    """The axis of the output channels, and how many there are."""
    extents = shape(value)
    if node.op == "ConvTranspose":
        group = attribute(node, "group")
        return (1 if group == 1 else -1), extents[1] * group
    if node.op == "Conv":
        return 0, extents[0]
    if len(extents) != 2:
        raise NotInIntegers("the second operand is a stack of matrices")
    return 1, extents[1]


def _centred(value: Value, grid: Quantization) -> Array:
    assert value.kept is not None
    integers = integers_of(value.kept, grid)
    if grid.zero_point is None or not grid.zero_point.any():
        return integers
    exact = np.int16 if integers.dtype.itemsize == 1 else np.int32
    zero = spread(grid.zero_point, integers.shape, grid.axis or 0, grid.block_size)
    return np.asarray(integers.astype(exact) - zero.astype(exact))


@dataclass(frozen=True)
class Scaling:
    """What becomes of the sums of a product: integers to add, factors, numbers to add."""

    bias: Array | None
    factor: Array
    offset: Array | None


def scaling_of(node: Node, x_scale: float, scales: Array) -> Scaling:
    """For a product whose third input is a constant vector, or none."""
    factor = np.asarray(np.float32(x_scale) * scales, np.float32)
    bias, alpha = node.input(2), 1.0
    if node.op == "FusedMatMul":
        alpha = attribute(node, "alpha")
        factor_of_bias = factor
        factor = np.asarray(factor * np.float32(alpha), np.float32)
    else:
        factor_of_bias = factor
    if bias is None:
        return Scaling(None, factor, None)
    if bias.data is None:
        raise NotInIntegers("the bias is computed")
    if alpha == 1:
        ratio = bias.data.astype(np.float64) / factor_of_bias.astype(np.float64)
        whole = np.rint(ratio)
        close = np.abs(ratio - whole) <= np.abs(ratio) * 2.0**-22
        if close.all() and np.abs(whole).max(initial=0) < _LARGEST_BIAS:
            return Scaling(whole.astype(np.int32), factor, None)
    return Scaling(None, factor, bias.data.astype(np.float32))
