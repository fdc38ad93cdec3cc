"""Pooling over windows and over whole planes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pyhades.ir.graph import Node
from pyhades.ir.ops.elementwise import widened
from pyhades.ir.registry import Array, Operator, attribute, elements, ir_op
from pyhades.ir.shapes import Shape, concrete, fail, shape_of
from pyhades.ir.window import Window, window

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


def _windows(x: Array, w: Window, fill: Any) -> Array:
    """Every window of ``x`` as [n, c, *output, prod(kernel)], positions outside being ``fill``."""
    out = concrete(w.output)
    after = [
        max((count - 1) * s + extent - size - b, 0)
        for count, s, extent, size, b in zip(
            out, w.strides, w.extents, x.shape[2:], w.pads_begin, strict=True
        )
    ]
    pads = [(0, 0), (0, 0), *zip(w.pads_begin, after, strict=True)]
    padded = np.pad(x, pads, constant_values=fill)
    return np.stack([padded[w.seen_by(tap, out)] for tap in w.taps()], axis=-1)


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
        lowest = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
        windows = _windows(x, geometry, lowest)
        y = windows.max(axis=-1)
        if len(node.outputs) == 1:
            return [y]
        positions = _windows(
            _flat_positions(x.shape, attribute(node, "storage_order")), geometry, -1
        )
        # A padded position never wins, even where all of the input is -inf.
        candidates = np.where((windows == y[..., None]) & (positions >= 0), 0, 1)
        best = candidates.argmin(axis=-1)
        return [y, np.take_along_axis(positions, best[..., None], axis=-1)[..., 0]]


def _flat_positions(shape: tuple[int, ...], storage_order: int) -> Array:
    """Index of each element; planes are row-major (0) or column-major (1)."""
    planes, spatial = math.prod(shape[:2]), shape[2:]
    size = math.prod(spatial)
    plane = np.arange(size, dtype=np.int64).reshape(spatial, order="F" if storage_order else "C")
    offsets = np.arange(planes, dtype=np.int64).reshape(*shape[:2], *[1] * len(spatial))
    return offsets * size + plane


@ir_op("AveragePool", "F -> F", **_ATTRIBUTES, count_include_pad=0)
class AveragePool(_Pool):
    """Mean per window. Pads count if ``count_include_pad``; what ceil mode adds never does."""

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x = widened(inputs[0])
        geometry = pool_window(node, x.shape)
        sums = _windows(x, geometry, 0).sum(axis=-1)
        ones = np.ones((1, 1, *x.shape[2:]), x.dtype)
        if attribute(node, "count_include_pad"):
            pads = zip(geometry.pads_begin, geometry.pads_end, strict=True)
            ones = np.pad(ones, [(0, 0), (0, 0), *pads], constant_values=1)
            no_pads = (0,) * len(geometry.kernel)
            geometry = Window(
                geometry.kernel,
                geometry.strides,
                geometry.dilations,
                no_pads,
                no_pads,
                geometry.output,
            )
        counts = _windows(ones, geometry, 0).sum(axis=-1)
        with np.errstate(all="ignore"):
            return [(sums / counts).astype(inputs[0].dtype, copy=False)]


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
