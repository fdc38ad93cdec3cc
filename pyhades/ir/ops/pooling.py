"""Pooling over windows and over whole planes."""

from __future__ import annotations

import math
from typing import Any

from pyhades.ir.graph import Node
from pyhades.ir.ops.elementwise import widened
from pyhades.ir.registry import Array, Operator, attribute, elements, ir_op
from pyhades.ir.shapes import Shape, concrete, fail, shape_of
from pyhades.ir.window import Window, window
from pyhades.numerics.pooling import average_pool, max_pool

_ATTRIBUTES: dict[str, Any] = {
    "auto_pad": "NOTSET",
    "ceil_mode": 0,
    "dilations": None,
    "kernel_shape": None,
    "pads": None,
    "strides": None,
}


def pool_window(node: Node, x: Shape) -> Window:
    """Geometry of a pooling node for input shape ``x`` [n, c, *spatial]."""
    if len(x) < 3:
        fail(node, f"x needs at least one spatial axis, has rank {len(x)}")
    kernel = attribute(node, "kernel_shape")
    if kernel is None:
        fail(node, "kernel_shape is missing")
    return window(node, x[2:], kernel)


class _Pool(Operator):
    def shapes(self, node: Node) -> list[Shape]:
        x = shape_of(node, 0)
        return [(*x[:2], *pool_window(node, x).output)] * len(node.outputs)

    def flops(self, node: Node) -> int:
        taps: int = math.prod(attribute(node, "kernel_shape"))
        return taps * elements(node.outputs[0].type)


@ir_op("MaxPool", "N -> N, int64?", **_ATTRIBUTES, storage_order=0)
class MaxPool(_Pool):
    """Largest element per window and, as second output, where it lies in the flattened input."""

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x = inputs[0]
        geometry = pool_window(node, x.shape)
        counts, column_major = concrete(geometry.output), bool(attribute(node, "storage_order"))
        return list(max_pool(x, geometry, counts, column_major))[: len(node.outputs)]


@ir_op("AveragePool", "F -> F", **_ATTRIBUTES, count_include_pad=0)
class AveragePool(_Pool):
    """Mean per window. Pads count if ``count_include_pad``; what ceil mode adds never does."""

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x = widened(inputs[0])
        geometry = pool_window(node, x.shape)
        count_include_pad = bool(attribute(node, "count_include_pad"))
        y = average_pool(x, geometry, concrete(geometry.output), count_include_pad)
        return [y.astype(inputs[0].dtype, copy=False)]


class _GlobalPool(Operator):
    def shapes(self, node: Node) -> list[Shape]:
        x = shape_of(node, 0)
        if len(x) < 3:
            fail(node, f"x needs at least one spatial axis, has rank {len(x)}")
        return [(*x[:2], *[1] * (len(x) - 2))]

    def flops(self, node: Node) -> int:
        return elements(node.inputs[0].type)  # type: ignore[union-attr]


@ir_op("GlobalAveragePool", "F -> F")
class GlobalAveragePool(_GlobalPool):
    """Mean over all spatial axes, kept as ones."""

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x = inputs[0]
        mean = widened(x).mean(axis=tuple(range(2, x.ndim)), keepdims=True)
        return [mean.astype(x.dtype, copy=False)]


@ir_op("GlobalMaxPool", "F -> F")
class GlobalMaxPool(_GlobalPool):
    """Maximum over all spatial axes, kept as ones."""

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        return [inputs[0].max(axis=tuple(range(2, inputs[0].ndim)), keepdims=True)]
