"""Conv and ConvTranspose in any number of spatial dimensions, DeformConv of images."""

from __future__ import annotations

from typing import Any

import numpy as np

from pyhades.ir.graph import Dim, Node
from pyhades.ir.ops.elementwise import widened
from pyhades.ir.registry import Array, Operator, attribute, elements, ir_op
from pyhades.ir.shapes import UNKNOWN, Shape, agree, concrete, fail, rank_of, shape_of
from pyhades.ir.window import Window, window
from pyhades.numerics.convolution import convolve, convolve_transposed
from pyhades.numerics.deform import deform_convolve

CONV_ATTRIBUTES: dict[str, Any] = {
    "auto_pad": "NOTSET",
    "dilations": None,
    "group": 1,
    "kernel_shape": None,
    "pads": None,
    "strides": None,
}
TRANSPOSED_ATTRIBUTES: dict[str, Any] = {
    **CONV_ATTRIBUTES,
    "output_padding": None,
    "output_shape": None,
}


def conv_window(node: Node, x: Shape, w: Shape) -> Window:
    """Geometry of a Conv node for input shape ``x`` and weight shape ``w``."""
    kernel = concrete(w[2:])
    stated = attribute(node, "kernel_shape")
    if stated is not None and tuple(stated) != kernel:
        fail(node, f"kernel_shape {list(stated)} contradicts the weight's {list(kernel)}")
    return window(node, x[2:], kernel)


def _check_ranks(node: Node, x: Shape, w: Shape) -> None:
    if len(x) < 3 or len(w) != len(x):
        fail(node, f"x has rank {len(x)} and the weight {len(w)}; both need the same, at least 3")
    if attribute(node, "group") < 1:
        fail(node, f"group {attribute(node, 'group')} must be positive")


def _check_bias(node: Node, channels: Dim) -> None:
    if node.input(2) is None:
        return
    if rank_of(node, 2) != 1:
        fail(node, "the bias must have rank 1")
    agree(node, shape_of(node, 2)[0], channels, "bias and output channels")


@ir_op("Conv", "F, F, F? -> F", **CONV_ATTRIBUTES)
class Conv(Operator):
    """Convolution (cross-correlation): x [n, c, *spatial], w [o, c / group, *kernel], bias [o]."""

    def shapes(self, node: Node) -> list[Shape]:
        x, w = shape_of(node, 0), shape_of(node, 1)
        _check_ranks(node, x, w)
        group = attribute(node, "group")
        if isinstance(w[1], int):
            agree(node, x[1], w[1] * group, "channels of x and of the weight times group")
        if isinstance(w[0], int) and w[0] % group:
            fail(node, f"{w[0]} output channels are not divisible by group {group}")
        _check_bias(node, w[0])
        return [(x[0], w[0], *conv_window(node, x, w).output)]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, w, bias = (*inputs, None)[:3]
        geometry = conv_window(node, x.shape, w.shape)
        wide_bias, counts = None if bias is None else widened(bias), concrete(geometry.output)
        groups = attribute(node, "group")
        y = convolve(widened(x), widened(w), wide_bias, geometry, groups, counts)
        return [y.astype(x.dtype, copy=False)]

    def flops(self, node: Node) -> int:
        weight = node.inputs[1]
        per_output = elements(weight.type) // shape_of(node, 1)[0] if weight else 0  # type: ignore[operator]
        return 2 * per_output * elements(node.outputs[0].type)


@ir_op("ConvTranspose", "F, F, F? -> F", **TRANSPOSED_ATTRIBUTES)
class ConvTranspose(Operator):
    """Transposed convolution: x [n, c, *spatial], w [c, o / group, *kernel], bias [o]."""

    def shapes(self, node: Node) -> list[Shape]:
        x, w = shape_of(node, 0), shape_of(node, 1)
        _check_ranks(node, x, w)
        agree(node, x[1], w[0], "channels of x and of the weight")
        group = attribute(node, "group")
        channels = w[1] * group if isinstance(w[1], int) else UNKNOWN
        _check_bias(node, channels)
        return [(x[0], channels, *transposed_window(node, x, w).output)]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, w, bias = (*inputs, None)[:3]
        geometry = transposed_window(node, x.shape, w.shape)
        wide_bias, counts = None if bias is None else widened(bias), concrete(geometry.output)
        groups = attribute(node, "group")
        y = convolve_transposed(widened(x), widened(w), wide_bias, geometry, groups, counts)
        return [np.ascontiguousarray(y.astype(x.dtype, copy=False))]

    def flops(self, node: Node) -> int:
        per_input = elements(node.inputs[1].type) // shape_of(node, 1)[0]  # type: ignore[union-attr,operator]
        return 2 * per_input * elements(node.inputs[0].type)  # type: ignore[union-attr]


@ir_op(
    "DeformConv",
    "F, F, F, F?, F? -> F",
    auto_pad="NOTSET",
    dilations=None,
    group=1,
    kernel_shape=None,
    offset_group=1,
    pads=None,
    strides=None,
)
class DeformConv(Operator):
    """Convolution of images with taps moved by offsets [n, groups * taps * 2, oh, ow].

    Inputs are x, the weight, the offsets, a bias and a mask [n, groups * taps, oh, ow].
    """

    def shapes(self, node: Node) -> list[Shape]:
        x, w = shape_of(node, 0), shape_of(node, 1)
        _check_ranks(node, x, w)
        if len(x) != 4:
            fail(node, f"x has rank {len(x)}; deformable convolution is of images [n, c, h, w]")
        group, offset_group = attribute(node, "group"), attribute(node, "offset_group")
        if isinstance(w[1], int):
            agree(node, x[1], w[1] * group, "channels of x and of the weight times group")
        if isinstance(w[0], int) and w[0] % group:
            fail(node, f"{w[0]} output channels are not divisible by group {group}")
        if offset_group < 1 or (isinstance(x[1], int) and x[1] % offset_group):
            fail(node, f"offset_group {offset_group} does not divide {x[1]} channels")
        if node.input(3) is not None:
            if rank_of(node, 3) != 1:
                fail(node, "the bias must have rank 1")
            agree(node, shape_of(node, 3)[0], w[0], "bias and output channels")
        output = conv_window(node, x, w).output
        planes = offset_group * int(np.prod(concrete(w[2:])))
        for index, channels in ((2, 2 * planes), (4, planes)):
            if node.input(index) is not None:
                self._check_field(node, index, (x[0], channels, *output))
        return [(x[0], w[0], *output)]

    @staticmethod
    def _check_field(node: Node, index: int, expected: Shape) -> None:
        found = shape_of(node, index)
        if len(found) != len(expected):
            fail(node, f"input {index} has rank {len(found)}, expected {len(expected)}")
        for have, want in zip(found, expected, strict=True):
            agree(node, have, want, f"extents of input {index} {found} and {expected}")

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, w, offset, bias, mask = (None if v is None else widened(v) for v in _five(inputs))
        assert x is not None and w is not None and offset is not None
        geometry = conv_window(node, x.shape, w.shape)
        groups, offset_groups = attribute(node, "group"), attribute(node, "offset_group")
        y = deform_convolve(x, w, offset, bias, mask, geometry, groups, offset_groups)
        return [y.astype(inputs[0].dtype, copy=False)]

    def flops(self, node: Node) -> int:
        weight = node.inputs[1]
        per_output = elements(weight.type) // shape_of(node, 1)[0] if weight else 0  # type: ignore[operator]
        return 2 * per_output * elements(node.outputs[0].type)


def _five(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return (*inputs, None, None)[:5]


def transposed_window(node: Node, x: Shape, w: Shape) -> Window:
    """Explicit pads and output extents of a ConvTranspose."""
    kernel, spatial = concrete(w[2:]), concrete(x[2:])
    rank = len(spatial)
    strides = tuple(attribute(node, "strides") or [1] * rank)
    dilations = tuple(attribute(node, "dilations") or [1] * rank)
    extra = tuple(attribute(node, "output_padding") or [0] * rank)
    pads = list(attribute(node, "pads") or [0] * (2 * rank))
    if {len(strides), len(dilations), len(extra), len(pads) // 2} != {rank}:
        fail(node, f"strides, dilations, output_padding and pads must fit {rank} spatial axes")
    full = [
        s * (i - 1) + o + (k - 1) * d + 1
        for s, i, o, k, d in zip(strides, spatial, extra, kernel, dilations, strict=True)
    ]
    wanted, mode = attribute(node, "output_shape"), attribute(node, "auto_pad")
    if wanted is None and mode in ("SAME_UPPER", "SAME_LOWER"):
        wanted = [i * s for i, s in zip(spatial, strides, strict=True)]
    if wanted is None:
        begin, end = tuple(pads[:rank]), tuple(pads[rank:])
        output = tuple(f - b - e for f, b, e in zip(full, begin, end, strict=True))
        if min(output) < 1:
            fail(node, f"pads {pads} leave no output")
        return Window(kernel, strides, dilations, begin, end, output)
    output = tuple(wanted[-rank:])
    totals = [max(f - o, 0) for f, o in zip(full, output, strict=True)]
    smaller, larger = tuple(t // 2 for t in totals), tuple(t - t // 2 for t in totals)
    begin, end = (smaller, larger) if mode == "SAME_UPPER" else (larger, smaller)
    return Window(kernel, strides, dilations, begin, end, output)
