"""Transposed convolutions: an ordinary convolution per phase of the output.

Nothing is spread out with zeros: a phase's convolution has the kernel positions that its outputs
see, and stores them where they belong, a stride apart. In a row, phases that see the same inputs
lie side by side in memory; one convolution with their channels side by side makes them all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pyhades.compiler.lower.convolution import (
    as_image,
    epilogue,
    image_input,
    image_output,
)
from pyhades.compiler.lowering import Lowering, lowers
from pyhades.compiler.view import Array, View
from pyhades.ir.graph import Node, Value
from pyhades.ir.ops.convolution import transposed_window
from pyhades.ir.phases import Phase, axis_phases
from pyhades.ir.registry import attribute
from pyhades.ir.shapes import shape as shape_of

_ROWS, _COLUMNS = 2, 3
_RESIDUAL = 3
_NARROW = 32
"""Output channels below which vectors are better filled by the channels of several phases."""


@dataclass(frozen=True)
class _Strip:
    """Phases of a row, side by side, that see the same inputs; ``phase`` is the first."""

    phase: Phase
    taps: tuple[range, ...]


@lowers("ConvTranspose", "FusedConvTranspose")
def lower_conv_transpose(lowering: Lowering, node: Node) -> None:
    """conv2d per phase, with its epilogue."""
    Transposed(lowering, node, "conv2d", (2, 3), epilogue(node)).emit()


class Transposed:
    """A transposed convolution by convolutions.

    Parameters
    ----------
    op
        The native convolution.
    order
        Which inputs of the node follow x and the weight there: vectors over the output channels,
        and the residual, which is input 3.
    attributes
        What finishes it.
    """

    def __init__(
        self,
        lowering: Lowering,
        node: Node,
        op: str,
        order: Sequence[int],
        attributes: Mapping[str, Any],
    ) -> None:
        self.lowering, self.node = lowering, node
        self.op, self.order, self.attributes = op, order, attributes
        x, w = node.inputs[:2]
        assert x is not None and w is not None and w.data is not None
        self.window = transposed_window(node, shape_of(x), shape_of(w))
        self.group = attribute(node, "group")
        self.weight = _by_output(w, self.group)
        self.vectors = {index: node.input(index) for index in order if index != _RESIDUAL}
        self.rank = len(self.window.kernel)
        self.stride_w = self.window.strides[-1]

    def emit(self) -> None:
        x, y = image_input(self.lowering, self.node), image_output(self.lowering, self.node)
        residual = self.lowering.optional(self.node, _RESIDUAL)
        if residual is not None:
            residual = self.lowering.channels_last(as_image(residual))
        single = [Phase(0, 1, range(1), 0, 1)]
        rows = axis_phases(self.window, 0) if self.rank > 1 else single
        strips = self._strips([view for view in (y, residual) if view is not None])
        for row in rows:
            for strip in strips:
                self._convolve(x, y, residual, row, strip)

    def _convolve(self, x: View, y: View, residual: View | None, row: Phase, strip: _Strip) -> None:
        begin, end = [], []
        for axis, phase in ((_ROWS, row), (_COLUMNS, strip.phase)):
            x, before, after = _crop(x, axis, phase)
            begin.append(before)
            end.append(after)
        added = self._part(residual, row, strip)
        terms = [added if i == _RESIDUAL else self._vector(i, strip) for i in self.order]
        self.lowering.emit(
            self.op,
            [x, self._weight(row, strip), *terms],
            [self._part(y, row, strip)],
            strides=[1, 1],
            pads=begin + end,
            dilations=[row.dilation, strip.phase.dilation],
            groups=self.group,
            **self.attributes,
        )

    def _strips(self, stored: list[View]) -> list[_Strip]:
        """All phases of a row, joined where that is possible and pays."""
        phases = axis_phases(self.window, self.rank - 1)
        alone = [_Strip(phase, (phase.taps,)) for phase in phases]
        channels = len(self.weight)
        constant = all(v is None or v.data is not None for v in self.vectors.values())
        if self.group > 1 or not constant or any(v.strides[_COLUMNS] != channels for v in stored):
            return alone
        joined = _joined(phases, self.window.pads_begin[-1], self.stride_w)
        return joined if len(joined) < len(alone) or channels <= _NARROW else alone

    def _weight(self, row: Phase, strip: _Strip) -> View:
        rows = self.weight[:, :, row.taps] if self.rank > 1 else self.weight[:, :, None]
        parts = np.concatenate([rows[..., taps] for taps in strip.taps])
        name = f"{self.node.outputs[0].name}.phase{row.start}.{strip.phase.start}"
        return self.lowering.constant(np.ascontiguousarray(parts), name)

    def _vector(self, index: int, strip: _Strip) -> View | None:
        """A bias or the like, repeated for every phase of the strip."""
        value = self.vectors[index]
        if value is None or len(strip.taps) == 1:
            return self.lowering.optional(self.node, index)
        assert value.data is not None
        repeated = np.tile(value.data, len(strip.taps))
        return self.lowering.constant(repeated, f"{value.name}.repeated")

    def _part(self, view: View | None, row: Phase, strip: _Strip) -> View | None:
        """The outputs of a strip, with the channels of its phases side by side."""
        if view is None:
            return None
        stride_h = self.window.strides[0] if self.rank > 1 else 1
        view = view.slice(_ROWS, row.start, row.count, stride_h)
        view = view.slice(_COLUMNS, strip.phase.start, strip.phase.count, self.stride_w)
        if len(strip.taps) == 1:
            return view
        (n, c, h, w), (image, _, row_step, pixel) = view.shape, view.strides
        shape = (n, c * len(strip.taps), h, w)
        return replace(view, shape=shape, strides=(image, 1, row_step, pixel))


def _by_output(w: Value, group: int) -> Array:
    """The weight [c, o / group, *kernel] as [o, c / group, *kernel]."""
    assert w.data is not None
    c, outputs, *kernel = w.data.shape
    grouped = w.data.reshape(group, c // group, outputs, *kernel)
    return grouped.swapaxes(1, 2).reshape(group * outputs, c // group, *kernel)


def _crop(x: View, axis: int, phase: Phase) -> tuple[View, int, int]:
    """The inputs that the phase sees along ``axis``, and the pads before and after them."""
    begin, end = phase.seen()
    extent = x.shape[axis]
    inside, stop = max(begin, 0), min(end, extent)
    return x.slice(axis, inside, stop - inside), inside - begin, end - stop


def _joined(phases: list[Phase], pad: int, stride: int) -> list[_Strip]:
    """Neighbours that see the same inputs as one strip, what they do not share alone."""
    strips: list[_Strip] = []
    by_remainder = sorted(phases, key=lambda phase: (phase.start + pad) % stride)
    quotients = {phase: (phase.start + pad) // stride for phase in phases}
    for group in _neighbours(by_remainder, quotients, pad, stride):
        begin = max(quotients[phase] for phase in group)
        end = min(quotients[phase] + phase.count for phase in group)
        if len(group) == 1 or end <= begin:
            strips += [_Strip(phase, (phase.taps,)) for phase in group]
            continue
        for phase in group:
            first = quotients[phase]
            parts = [phase.cut(0, begin - first, stride)]
            parts.append(phase.cut(end - first, phase.count, stride))
            strips += [_Strip(part, (part.taps,)) for part in parts if part.count > 0]
        first = quotients[group[0]]
        shared = group[0].cut(begin - first, end - first, stride)
        strips.append(_Strip(shared, tuple(phase.taps for phase in group)))
    return strips


def _neighbours(
    phases: list[Phase], quotients: dict[Phase, int], pad: int, stride: int
) -> list[list[Phase]]:
    """Runs of phases with remainders that follow each other and taps at the same distances."""
    groups: list[list[Phase]] = []
    for phase in phases:
        last = groups[-1][-1] if groups else None
        follows = last is not None and (
            (phase.start + pad) % stride == (last.start + pad) % stride + 1
            and len(phase.taps) == len(last.taps)
            and quotients[phase] - phase.first == quotients[last] - last.first
        )
        if follows:
            groups[-1].append(phase)
        else:
            groups.append([phase])
    return groups
