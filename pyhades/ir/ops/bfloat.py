"""Operators on bfloat16: uint16 values, each of which is the bits of one.

With ``precision="bf16"`` the pass :func:`~pyhades.passes.bfloat.compute_in_bfloat16` lets values
between products be bfloat16. What the operators compute is written down in
:mod:`pyhades.numerics.bfloat`. What only moves elements needs no operator of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pyhades.ir.graph import Node
from pyhades.ir.ops.convolution import CONV_ATTRIBUTES, Conv, conv_window
from pyhades.ir.ops.fused import EPILOGUE, stage
from pyhades.ir.ops.matrix import MatMul
from pyhades.ir.ops.pooling import POOL_ATTRIBUTES, MaxPool, pool_window
from pyhades.ir.registry import Array, Operator, attribute, ir_op
from pyhades.ir.shapes import Shape, concrete, shape_of
from pyhades.ir.signature import DType
from pyhades.numerics import bfloat

RESIDUAL = 3
"""The input of a product that is added behind its activation."""

FINISH: dict[str, Any] = {**EPILOGUE, "to": np.dtype(np.float32)}
"""What products have in common; ``to`` is float32, or uint16: the nearest bfloat16."""

_SIGNATURE = "uint16, uint16, float32?, float32? -> *"


@ir_op("NarrowBF16", "float32 -> uint16")
class NarrowBF16(Operator):
    """The bits of the nearest bfloat16."""

    flops_per_element = 4

    def shapes(self, node: Node) -> list[Shape]:
        return [shape_of(node, 0)]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        return [bfloat.narrowed(inputs[0])]


def _finished(node: Node, sums: Array, residual: Array | None) -> list[Array]:
    stages = stage(node, "activation"), residual, stage(node, "after")
    return [bfloat.finished(sums, *stages, bool(attribute(node, "to") == np.uint16))]


@ir_op("BConv", _SIGNATURE, **CONV_ATTRIBUTES, **FINISH)
class BConv(Conv):
    """A convolution of bfloat16, summed and finished in float32; inputs are those of FusedConv."""

    def dtypes(self, node: Node) -> list[DType]:
        return [np.dtype(attribute(node, "to"))]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, w, bias, residual = (*inputs, None, None)[:4]
        geometry, groups = conv_window(node, x.shape, w.shape), attribute(node, "group")
        return _finished(node, bfloat.convolved(x, w, bias, geometry, groups), residual)


@ir_op("BMatMul", _SIGNATURE, **FINISH)
class BMatMul(MatMul):
    """Rows of bfloat16 times one matrix of them; inputs are those of FusedMatMul."""

    def dtypes(self, node: Node) -> list[DType]:
        return [np.dtype(attribute(node, "to"))]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        a, b, bias, residual = (*inputs, None, None)[:4]
        return _finished(node, bfloat.multiplied(a, b, bias), residual)


@ir_op("BMaxPool", "uint16 -> uint16", **POOL_ATTRIBUTES, storage_order=0)
class BMaxPool(MaxPool):
    """The largest bfloat16 of each window."""

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        geometry = pool_window(node, inputs[0].shape)
        return [bfloat.max_pooled(inputs[0], geometry, concrete(geometry.output))]
