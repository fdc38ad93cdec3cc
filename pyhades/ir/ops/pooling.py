"""Pooling over windows and over whole planes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pyhades.ir.graph import Node
from pyhades.ir.ops.elementwise import widened
from pyhades.ir.registry import Array, Operator, attribute, elements, ir_op
from pyhades.ir.shapes import Shape, UnknownShape, concrete, fail, integers_of, shape_of
from pyhades.ir.window import Window, window
from pyhades.numerics.pooling import average_pool, lp_pool, max_pool, max_unpool

POOL_ATTRIBUTES: dict[str, Any] = {
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


@ir_op("MaxPool", "N -> N, int64?", **POOL_ATTRIBUTES, storage_order=0)
class MaxPool(_Pool):
    """Largest element per window and, as second output, where it lies in the flattened input."""

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x = inputs[0]
        geometry = pool_window(node, x.shape)
        counts, column_major = concrete(geometry.output), bool(attribute(node, "storage_order"))
        return list(max_pool(x, geometry, counts, column_major))[: len(node.outputs)]


@ir_op("AveragePool", "F -> F", **POOL_ATTRIBUTES, count_include_pad=0)
class AveragePool(_Pool):
    """Mean per window. Pads count if ``count_include_pad``; what ceil mode adds never does."""

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x = widened(inputs[0])
        geometry = pool_window(node, x.shape)
        count_include_pad = bool(attribute(node, "count_include_pad"))
        y = average_pool(x, geometry, concrete(geometry.output), count_include_pad)
        return [y.astype(inputs[0].dtype, copy=False)]


@ir_op("LpPool", "F -> F", **POOL_ATTRIBUTES, p=2)
class LpPool(_Pool):
    """``sum(|x| ** p) ** (1 / p)`` per window, pads being zeros."""

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x = widened(inputs[0])
        geometry = pool_window(node, x.shape)
        y = lp_pool(x, geometry, concrete(geometry.output), lp_order(node))
        return [y.astype(inputs[0].dtype, copy=False)]


def lp_order(node: Node) -> int:
    """The order of a norm, which must be positive."""
    p = int(attribute(node, "p"))
    if p < 1:
        fail(node, f"p {p} must be at least 1")
    return p


@ir_op("MaxUnpool", "F, int64, int64? -> F", kernel_shape=None, pads=None, strides=None)
class MaxUnpool(Operator):
    """Zeros, with x where MaxPool has found it: positions in the shape that the window says."""

    def unpooled(self, node: Node) -> tuple[int, ...]:
        """The shape in which the positions count."""
        x = concrete(shape_of(node, 0))
        rank = len(x) - 2
        kernel = attribute(node, "kernel_shape")
        strides = attribute(node, "strides") or [1] * rank
        pads = attribute(node, "pads") or [0] * (2 * rank)
        if kernel is None or {len(kernel), len(strides), len(pads) // 2} != {rank}:
            fail(node, f"kernel_shape, strides and pads must fit {rank} spatial axes")
        sides = zip(x[2:], strides, kernel, pads[:rank], pads[rank:], strict=True)
        spatial = tuple((n - 1) * s + k - b - e for n, s, k, b, e in sides)
        if min(spatial, default=1) < 1:
            fail(node, f"pads {list(pads)} leave no output")
        return (*x[:2], *spatial)

    def shapes(self, node: Node) -> list[Shape]:
        x = shape_of(node, 0)
        if shape_of(node, 1) != x:
            fail(node, f"x of shape {x} and its positions of shape {shape_of(node, 1)} differ")
        try:
            wanted = integers_of(node, 2)
        except UnknownShape:
            return [("?",) * len(x)]
        if wanted is None:
            return [self.unpooled(node)]
        if len(wanted) != len(x) or min(wanted) < 0:
            fail(node, f"output_shape {wanted} does not fit an x of rank {len(x)}")
        return [tuple(wanted)]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, positions, wanted = (*inputs, None)[:3]
        shape = self.unpooled(node)
        output = shape if wanted is None else [int(extent) for extent in wanted]
        return [max_unpool(x, positions, shape, output)]


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


@ir_op("GlobalLpPool", "F -> F", p=2)
class GlobalLpPool(_GlobalPool):
    """Norm over all spatial axes, kept as ones."""

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x = widened(inputs[0])
        flat = x.reshape(*x.shape[:2], -1)
        norm = np.linalg.norm(flat, ord=lp_order(node), axis=-1)
        return [norm.reshape(*x.shape[:2], *[1] * (x.ndim - 2)).astype(inputs[0].dtype, copy=False)]
