"""Pooling over more axes than an image has, one axis after the other.

The largest of a window is the largest of its lines' largest, and the count of a mean is a product
of counts per axis, so both can be taken along one axis at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from pyhades.ir.graph import Node, Value
from pyhades.ir.inference import constant
from pyhades.ir.ops.pooling import MaxUnpool, lp_order, pool_window
from pyhades.ir.registry import attribute, operator
from pyhades.ir.shapes import shape
from pyhades.passes.decompose.rule import Builder, dtype_of, rule, source


@rule("GlobalAveragePool", "GlobalMaxPool")
def _global_pool(build: Builder, node: Node) -> None:
    x = source(node)
    op = "ReduceMean" if node.op == "GlobalAveragePool" else "ReduceMax"
    build.become(op, x, build.integers("axes", range(2, len(shape(x)))), keepdims=1)


def _is_no_image(node: Node) -> bool:
    return len(shape(source(node))) > 4


def _counts_elements(node: Node) -> bool:
    """Whether windows of one element are asked for their positions."""
    if len(node.outputs) < 2 or attribute(node, "storage_order") == 1:
        return False
    geometry = pool_window(node, shape(source(node)))
    steps = (*geometry.kernel, *geometry.strides)
    pads = (*geometry.pads_begin, *geometry.pads_end)
    return all(step == 1 for step in steps) and not any(pads)


@rule("MaxPool", when=_counts_elements, first=True)
def _positions(build: Builder, node: Node) -> None:
    """The numbers from 0, of which exporters make indices within a plane."""
    x = source(node)
    numbers = np.arange(prod(shape(x)), dtype=np.int64).reshape(shape(x))
    build.rewrite.substitute(node.outputs[1], constant(f"{build.name}.positions", numbers))
    pooled = build.apply("MaxPool", x, suffix="pooled", **node.attributes)
    build.rewrite.substitute(node.outputs[0], pooled)


@dataclass(frozen=True)
class _Line:
    """Pooling along one axis: attributes for an image of one column."""

    attributes: dict[str, Any]
    extent: int


def _lines(node: Node, x: Value) -> list[_Line]:
    geometry = pool_window(node, shape(x))
    kept = ("count_include_pad", "ceil_mode")
    names: dict[str, Any] = {n: node.attributes[n] for n in kept if n in node.attributes}
    return [
        _Line(
            {
                **names,
                "kernel_shape": [geometry.kernel[axis], 1],
                "strides": [geometry.strides[axis], 1],
                "dilations": [geometry.dilations[axis], 1],
                "pads": [geometry.pads_begin[axis], 0, geometry.pads_end[axis], 0],
            },
            int(geometry.output[axis]),
        )
        for axis in range(len(geometry.kernel))
    ]


def _column_image(build: Builder, x: Value, axis: int) -> Value:
    """``x`` with ``axis`` upright and whatever comes after it beside."""
    n, c, *spatial = shape(x)
    above, extent, after = spatial[:axis], spatial[axis], spatial[axis + 1 :]
    return build.reshape(x, (n, c * prod(above), extent, prod(after)), f"columns{axis}")


@rule("MaxPool", "AveragePool", when=_is_no_image)
def _pool(build: Builder, node: Node) -> None:
    """The last axis first, so that the first of equal elements in row-major order wins."""
    x = source(node)
    y, indices = x, None
    spatial = list(shape(x)[2:])
    for axis, line in reversed(list(enumerate(_lines(node, x)))):
        image = _column_image(build, y, axis)
        outputs = [f"pooled{axis}", f"indices{axis}"][: len(node.outputs)]
        pooled, *positions = build.apply_all(node.op, [image], outputs, **line.attributes)
        spatial[axis] = line.extent
        y = build.reshape(pooled, (*shape(x)[:2], *spatial), f"joined{axis}")
        if positions:
            indices = _compose(build, indices, positions[0], axis)
    if indices is not None:
        if attribute(node, "storage_order") == 1:
            indices = _column_major(build, indices, shape(x))
        extents = shape(node.outputs[1])
        build.rewrite.substitute(node.outputs[1], build.reshape(indices, extents, "indices"))
    build.rewrite.substitute(node.outputs[0], y)


def _compose(build: Builder, earlier: Value | None, positions: Value, axis: int) -> Value:
    """Positions in the input, from those in what the axes before made of it."""
    if earlier is None:
        return positions
    flat = build.reshape(earlier, (prod(shape(earlier)),), f"flat{axis}")
    return build.apply("Gather", flat, positions, suffix=f"origin{axis}", axis=0)


def _column_major(build: Builder, indices: Value, x: tuple[int, ...]) -> Value:
    """Count the spatial axes with the first innermost."""
    plane = prod(x[2:])
    order = np.arange(plane, dtype=np.int64).reshape(x[:1:-1]).T.reshape(-1)
    within = build.apply("Mod", indices, build.number(plane, indices), suffix="within")
    start = build.apply("Sub", indices, within, suffix="start")
    table = constant(f"{build.name}.order", order)
    return build.apply("Add", start, build.apply("Gather", table, within, axis=0), suffix="order")


@rule("LpPool")
def _lp_pool(build: Builder, node: Node) -> None:
    """A root of the mean of powers, pads counted, times their number."""
    x, p = source(node), lp_order(node)
    geometry = pool_window(node, shape(x))
    ends = [
        max((int(count) - 1) * stride + extent - have - begin, 0)
        for count, stride, extent, have, begin in zip(
            geometry.output,
            geometry.strides,
            geometry.extents,
            shape(x)[2:],
            geometry.pads_begin,
            strict=True,
        )
    ]
    mean = build.apply(
        "AveragePool",
        _powers(build, x, p),
        suffix="mean",
        kernel_shape=list(geometry.kernel),
        strides=list(geometry.strides),
        dilations=list(geometry.dilations),
        pads=[*geometry.pads_begin, *ends],
        count_include_pad=1,
    )
    total = build.apply("Mul", mean, build.number(prod(geometry.kernel), x), suffix="total")
    _become_root(build, total, p)


@rule("GlobalLpPool")
def _global_lp_pool(build: Builder, node: Node) -> None:
    x, p = source(node), lp_order(node)
    axes = range(2, len(shape(x)))
    _become_root(build, build.reduce("ReduceSum", _powers(build, x, p), axes), p)


def _powers(build: Builder, x: Value, p: int) -> Value:
    if p == 2:
        return build.apply("Mul", x, x, suffix="square")
    magnitude = build.apply("Abs", x)
    return magnitude if p == 1 else build.apply("Pow", magnitude, build.number(p, x))


def _become_root(build: Builder, total: Value, p: int) -> None:
    if p == 1:
        build.become("Identity", total)
    elif p == 2:
        build.become("Sqrt", total)
    else:
        build.become("Pow", total, build.number(1 / p, total))


@rule("MaxUnpool")
def _max_unpool(build: Builder, node: Node) -> None:
    """Scattered into zeros, then cut or extended to the shape that is asked for."""
    x, positions = source(node), source(node, 1)
    rule_of = operator("MaxUnpool")
    assert isinstance(rule_of, MaxUnpool)
    extents, wanted = rule_of.unpooled(node), shape(node.outputs[0])
    zeros = constant(f"{build.name}.zeros", np.zeros(prod(extents), dtype_of(x)))
    count = prod(shape(x))
    flat = [build.reshape(v, (count,), f"flat{i}") for i, v in enumerate((positions, x))]
    scattered = build.apply("ScatterElements", zeros, *flat, axis=0)
    y = build.reshape(scattered, extents, "unpooled")
    pads = [have - want for want, have in zip(extents, wanted, strict=True)]
    if any(pads):
        y = build.apply("Pad", y, build.integers("ends", [0] * len(pads) + pads))
    build.become("Identity", y)
