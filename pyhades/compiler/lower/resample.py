"""Resize, GridSample and Pad."""

from __future__ import annotations

from typing import Any

import numpy as np

from pyhades.compiler.lowering import CHANNELS_LAST, Lowering, is_planar, lowers
from pyhades.ir.graph import Node
from pyhades.ir.ops.resize import resize_axes, sampling_of
from pyhades.ir.ops.slicing import Pad
from pyhades.ir.registry import attribute, operator
from pyhades.ir.shapes import constant_of, integers_of

_INTERLEAVED = 8
"""Channels from which vectors along them beat the gathers of a planar image, and pay for a copy."""


@lowers("Resize")
def lower_resize(lowering: Lowering, node: Node) -> None:
    """Resize."""
    emit_resize(lowering, node)


def emit_resize(lowering: Lowering, node: Node, **attributes: Any) -> None:
    """resize; images of many channels are channels-last, planes of few stay planes."""
    x = lowering.input(node, 0)
    sampling = sampling_of(node)
    roi, scales, sizes = (constant_of(node, index) for index in (1, 2, 3))
    geometry = resize_axes(node, x.shape, roi, scales, sizes)
    factors = [geometry[axis].scale if axis in geometry else 1.0 for axis in range(x.rank)]
    starts = [geometry[axis].start if axis in geometry else 0.0 for axis in range(x.rank)]
    ends = [geometry[axis].end if axis in geometry else 1.0 for axis in range(x.rank)]
    if x.rank == 4 and x.shape[1] >= _INTERLEAVED:
        x = lowering.channels_last(x)
    order = x.order() if x.rank != 4 or is_planar(x) else CHANNELS_LAST
    lowering.emit(
        "resize",
        [x],
        [lowering.output(node.outputs[0], order)],
        mode=sampling.mode,
        coordinates=sampling.coordinates,
        scales=factors,
        roi=starts + ends,
        nearest_mode=sampling.nearest_mode,
        cubic_coeff_a=float(sampling.cubic_coeff_a),
        exclude_outside=int(sampling.exclude_outside),
        extrapolation_value=float(attribute(node, "extrapolation_value")),
        antialias=int(sampling.antialias),
        **attributes,
    )


_MANY_CHANNELS = 4
"""From here on whole pixels are read faster than planes are gathered from, and a copy pays."""


@lowers("GridSample")
def lower_grid_sample(lowering: Lowering, node: Node) -> None:
    """grid_sample; images of many channels come out channels-last."""
    x, grid = lowering.input(node, 0), lowering.input(node, 1)
    last = (0, *range(2, x.rank), 1)
    positions = grid.size // x.shape[0] // (x.rank - 2) if x.size else 0
    pixels = x.size // (x.shape[0] * x.shape[1]) if x.size else 0
    if x.shape[1] >= _MANY_CHANNELS and x.strides[1] != 1 and pixels <= 4 * positions:
        x = lowering.dense(x, last)
    order = last if x.shape[1] > 1 and x.strides[1] == 1 else None
    lowering.emit(
        "grid_sample",
        [x, grid],
        [lowering.output(node.outputs[0], order)],
        mode=attribute(node, "mode"),
        padding=attribute(node, "padding_mode"),
        align_corners=attribute(node, "align_corners"),
    )


@lowers("Pad")
def lower_pad(lowering: Lowering, node: Node) -> None:
    """pad; the output keeps the layout of the input."""
    x = lowering.input(node, 0)
    rule = operator("Pad")
    assert isinstance(rule, Pad)
    pads = rule.pads(node, x.rank, integers_of(node, 1) or [], integers_of(node, 3))
    fill = constant_of(node, 2)
    value = 0 if fill is None or fill.size == 0 else fill.reshape(()).item()
    lowering.emit(
        "pad",
        [x],
        [lowering.output(node.outputs[0], x.order())],
        pads=[before for before, _ in pads] + [after for _, after in pads],
        mode=attribute(node, "mode"),
        value=float(value) if x.dtype.kind == "f" else int(np.int64(value)),
    )
