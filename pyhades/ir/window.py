"""Sliding-window geometry shared by convolution and pooling: auto_pad, ceil_mode, dilation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyhades.ir.graph import Dim, Node
from pyhades.ir.registry import attribute
from pyhades.ir.shapes import UNKNOWN, concrete, fail
from pyhades.numerics import window as numerics


@dataclass(frozen=True)
class Window(numerics.Window):
    """A window over the spatial axes, with the extents of what it makes of them."""

    output: tuple[Dim, ...]


def window(node: Node, spatial: Sequence[Dim], kernel: Sequence[int]) -> Window:
    """The window of a Conv or pooling ``node`` on input of extents ``spatial``.

    ``pads_begin`` and ``pads_end`` are explicit whatever ``auto_pad`` says. In ceil mode the last
    window may reach beyond the padded input, but has to begin inside of input or leading pad.
    """
    rank = len(spatial)
    kernel = _axes_attribute(node, "kernel_shape", list(kernel), rank)
    strides = _axes_attribute(node, "strides", attribute(node, "strides") or [1] * rank, rank)
    dilations = _axes_attribute(node, "dilations", attribute(node, "dilations") or [1] * rank, rank)
    pads = list(attribute(node, "pads") or [0] * (2 * rank))
    if len(pads) != 2 * rank:
        fail(node, f"pads needs {2 * rank} entries, has {len(pads)}")
    if min(pads, default=0) < 0:
        fail(node, "pads must not be negative")
    mode = attribute(node, "auto_pad")
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        begin, end, output = _same(spatial, kernel, strides, dilations, mode)
        return Window(kernel, strides, dilations, begin, end, output)
    if mode not in ("NOTSET", "VALID"):
        fail(node, f"auto_pad {mode!r} is not NOTSET, VALID, SAME_UPPER or SAME_LOWER")
    begin, end = (0,) * rank, (0,) * rank
    if mode == "NOTSET":
        begin, end = tuple(pads[:rank]), tuple(pads[rank:])
    result = Window(kernel, strides, dilations, begin, end, ())
    ceil_mode = bool(node.attributes.get("ceil_mode", 0))
    output = tuple(_output(node, dim, result, a, ceil_mode) for a, dim in enumerate(spatial))
    return Window(kernel, strides, dilations, begin, end, output)


def _axes_attribute(node: Node, name: str, given: list[int], rank: int) -> tuple[int, ...]:
    if len(given) != rank:
        fail(node, f"{name} needs {rank} entries, has {len(given)}")
    if min(given, default=1) < 1:
        fail(node, f"{name} {given} must be positive")
    return tuple(given)


def _output(node: Node, extent: Dim, w: Window, axis: int, ceil_mode: bool) -> Dim:
    if isinstance(extent, str):
        return UNKNOWN
    padded = extent + w.pads_begin[axis] + w.pads_end[axis]
    room = padded - w.extents[axis]
    if room < 0:
        fail(node, f"a window of {w.extents[axis]} does not fit a padded extent of {padded}")
    stride = w.strides[axis]
    if not ceil_mode:
        return room // stride + 1
    count = -(-room // stride) + 1
    begins_outside = (count - 1) * stride >= extent + w.pads_begin[axis]
    return count - 1 if begins_outside else count


def _same(
    spatial: Sequence[Dim],
    kernel: tuple[int, ...],
    strides: tuple[int, ...],
    dilations: tuple[int, ...],
    mode: str,
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[Dim, ...]]:
    """Pads such that the output has ceil(extent / stride) elements; an odd one goes to ``mode``."""
    begin, end, output = [], [], []
    for extent, k, stride, dilation in zip(
        concrete(spatial), kernel, strides, dilations, strict=True
    ):
        count = -(-extent // stride)
        total = max((count - 1) * stride + (k - 1) * dilation + 1 - extent, 0)
        less, more = total // 2, total - total // 2
        begin.append(less if mode == "SAME_UPPER" else more)
        end.append(more if mode == "SAME_UPPER" else less)
        output.append(count)
    return tuple(begin), tuple(end), tuple(output)
