"""Phases of a transposed convolution along one axis.

With P = o + pad, output o sees the kernel positions k and inputs i with i * stride + k * dilation
= P. Outputs whose P leaves the same remainder see the same kernel positions, each input at a fixed
distance: an ordinary convolution of stride 1, whose results lie a stride apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

from pyhades.ir.shapes import concrete
from pyhades.ir.window import Window


@dataclass(frozen=True)
class Phase:
    """Outputs ``start, start + stride, ...`` of one axis, and the convolution that makes them.

    ``taps`` are kernel positions in the order in which the convolution sees inputs, ``dilation``
    apart; the first output's first tap sees input ``first``, which may be before the input.
    """

    start: int
    count: int
    taps: range
    first: int
    dilation: int

    def seen(self) -> tuple[int, int]:
        """The inputs that are seen, from the first to behind the last; pads among them."""
        reach = (len(self.taps) - 1) * self.dilation
        return self.first, self.first + self.count + reach

    def cut(self, begin: int, end: int, stride: int) -> Phase:
        """Its outputs number ``begin`` to ``end``."""
        start, first = self.start + begin * stride, self.first + begin
        return Phase(start, end - begin, self.taps, first, self.dilation)


def axis_phases(window: Window, axis: int) -> list[Phase]:
    """The phases of one spatial axis that have outputs, in the order of ``start``."""
    stride, dilation = window.strides[axis], window.dilations[axis]
    pad, kernel = window.pads_begin[axis], window.kernel[axis]
    (output,) = concrete(window.output[axis : axis + 1])
    phases = []
    for start in range(min(stride, output)):
        quotient, remainder = divmod(start + pad, stride)
        seen = [k for k in range(kernel) if (k * dilation - remainder) % stride == 0]
        step = stride // gcd(stride, dilation)
        taps = range(seen[-1], seen[0] - 1, -step) if seen else range(0)
        first = quotient - (taps[0] * dilation - remainder) // stride if seen else 0
        count = -(-(output - start) // stride)
        phases.append(Phase(start, count, taps, first, dilation // gcd(stride, dilation)))
    return phases


def splits_into_phases(window: Window, spatial: tuple[int, ...]) -> bool:
    """Whether the outputs of every phase see a position of the kernel, and some input."""
    return all(
        bool(phase.taps) and phase.seen()[0] < extent and phase.seen()[1] > 0
        for axis, extent in enumerate(spatial)
        for phase in axis_phases(window, axis)
    )
