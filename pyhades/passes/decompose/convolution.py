"""Convolutions that the image kernel does not do, by convolutions of one axis less.

Along an axis a convolution is a sum over the positions of the kernel: each sees a strided slice of
the input, whose positions join the batch. float32 ends at images, other dtypes at matrix products.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pyhades.ir.graph import Node, Value
from pyhades.ir.ops.convolution import conv_window, transposed_window
from pyhades.ir.phases import splits_into_phases
from pyhades.ir.registry import attribute
from pyhades.ir.shapes import shape
from pyhades.passes.decompose.rule import Builder, dtype_of, rule, source

_IMAGE_AXES = 2


@dataclass(frozen=True)
class _Axis:
    """Geometry along one spatial axis, pads apart."""

    stride: int
    dilation: int
    output: int


def _has_no_kernel(node: Node) -> bool:
    x = source(node)
    return dtype_of(x) != np.float32 or len(shape(x)) > 2 + _IMAGE_AXES


@rule("Conv", when=_has_no_kernel)
def _conv(build: Builder, node: Node) -> None:
    x, w, bias = source(node), source(node, 1), node.input(2)
    geometry = conv_window(node, shape(x), shape(w))
    pads = [0, 0, *geometry.pads_begin, 0, 0, *geometry.pads_end]
    if any(pads):
        x = build.apply("Pad", x, build.integers("pads", pads), suffix="padded")
    output = [int(extent) for extent in geometry.output]
    axes = [_Axis(*a) for a in zip(geometry.strides, geometry.dilations, output, strict=True)]
    y = _Peeling(build, attribute(node, "group")).convolve(x, w, axes)
    if bias is not None:
        column = build.reshape(bias, (shape(bias)[0], *[1] * len(axes)), "bias")
        y = build.apply("Add", y, column, suffix="biased")
    build.become_reshape(y)


class _Peeling:
    """Takes one axis after the other off a convolution."""

    def __init__(self, build: Builder, groups: int) -> None:
        self.build, self.groups = build, groups
        self._numbers = _count()

    def convolve(self, x: Value, w: Value, axes: list[_Axis]) -> Value:
        """Convolve padded x [n, c, *spatial] by w [o, c / groups, *kernel]."""
        if not axes:
            return self._multiply(x, w)
        if dtype_of(x) == np.float32 and len(axes) <= _IMAGE_AXES:
            return self.build.apply(
                "Conv",
                x,
                w,
                suffix=f"images{next(self._numbers)}",
                group=self.groups,
                strides=[axis.stride for axis in axes],
                dilations=[axis.dilation for axis in axes],
            )
        total: Value | None = None
        for position in range(shape(w)[2]):
            term = self._term(x, w, axes, position)
            suffix = f"sum{next(self._numbers)}"
            total = term if total is None else self.build.apply("Add", total, term, suffix=suffix)
        assert total is not None
        n, o, count = shape(x)[0], shape(w)[0], axes[0].output
        rest = shape(total)[2:]
        unfolded = self.build.reshape(total, (n, count, o, *rest), f"unfolded{next(self._numbers)}")
        return self.build.transpose(unfolded, (0, 2, 1, *range(3, 3 + len(rest))))

    def _term(self, x: Value, w: Value, axes: list[_Axis], position: int) -> Value:
        """What one position of the kernel along the first axis adds, [n * output, o, ...]."""
        axis, label = axes[0], next(self._numbers)
        start = position * axis.dilation
        stop = start + (axis.output - 1) * axis.stride + 1
        seen = self.build.slice(x, 2, start, stop, f"seen{label}", axis.stride)
        n, c, count, *rest = shape(seen)
        moved = self.build.transpose(seen, (0, 2, 1, *range(3, 3 + len(rest))))
        folded = self.build.reshape(moved, (n * count, c, *rest), f"folded{label}")
        weight = self.build.slice(w, 2, position, position + 1, f"tap{label}")
        extents = (*shape(w)[:2], *shape(w)[3:])
        return self.convolve(
            folded, self.build.reshape(weight, extents, f"weight{label}"), axes[1:]
        )

    def _multiply(self, x: Value, w: Value) -> Value:
        """Rows x [n, c] by w [o, c / groups]."""
        (n, c), (o, _), groups = shape(x), shape(w), self.groups
        label = next(self._numbers)
        rows = self.build.transpose(
            self.build.reshape(x, (n, groups, c // groups), f"rows{label}"), (1, 0, 2)
        )
        grouped = self.build.reshape(w, (groups, o // groups, c // groups), f"columns{label}")
        columns = self.build.transpose(grouped, (0, 2, 1))
        product = self.build.apply("MatMul", rows, columns, suffix=f"product{label}")
        moved = self.build.transpose(product, (1, 0, 2))
        return self.build.reshape(moved, (n, o), f"joined{label}")


def _count() -> Iterator[int]:
    number = 0
    while True:
        yield number
        number += 1


def _has_no_phases(node: Node) -> bool:
    """Whether lowering cannot make ordinary convolutions of it, one per phase of the output."""
    x, w = source(node), source(node, 1)
    if _has_no_kernel(node) or w.data is None:
        return True
    spatial = shape(x)[2:]
    window = transposed_window(node, shape(x), shape(w))
    return not splits_into_phases(window, spatial)


@rule("ConvTranspose", when=_has_no_phases)
def _conv_transpose(build: Builder, node: Node) -> None:
    """A convolution of the input, spread out with zeros, by the mirrored weight."""
    x, w, bias = source(node), source(node, 1), node.input(2)
    geometry = transposed_window(node, shape(x), shape(w))
    group, rank = attribute(node, "group"), len(geometry.kernel)
    spread = _spread(build, x, geometry.strides)
    before = [e - 1 - b for e, b in zip(geometry.extents, geometry.pads_begin, strict=True)]
    after = [
        int(out) + extent - 1 - have - first
        for out, extent, have, first in zip(
            geometry.output, geometry.extents, shape(spread)[2:], before, strict=True
        )
    ]
    pads = build.integers("pads", [0, 0, *before, 0, 0, *after])
    canvas = build.apply("Pad", spread, pads, suffix="canvas")
    # [c, o / g, ...] to [o, c / g, ...]
    c, per_group, *kernel = shape(w)
    grouped = build.reshape(w, (group, c // group, per_group, *kernel), "grouped")
    swapped = build.transpose(grouped, (0, 2, 1, *range(3, 3 + rank)))
    weight = build.reshape(swapped, (group * per_group, c // group, *kernel), "swapped")
    for axis in range(2, 2 + rank):
        last = -shape(weight)[axis] - 1
        weight = build.slice(weight, axis, -1, last, f"mirrored{axis}", step=-1)
    dilations = list(geometry.dilations)
    build.become("Conv", canvas, weight, bias, group=group, dilations=dilations)


def _spread(build: Builder, x: Value, strides: tuple[int, ...]) -> Value:
    """Zeros between the elements of x [n, c, *spatial], and after the last."""
    n, c, *spatial = shape(x)
    if max(strides) == 1:
        return x
    thin = [e for extent in spatial for e in (extent, 1)]
    pads = [p for stride in strides for p in (0, stride - 1)]
    ends = build.integers("gaps", [0] * (4 + len(thin)) + pads)
    apart = build.apply("Pad", build.reshape(x, (n, c, *thin), "thin"), ends, suffix="apart")
    wide = [extent * stride for extent, stride in zip(spatial, strides, strict=True)]
    return build.reshape(apart, (n, c, *wide), "spread")
