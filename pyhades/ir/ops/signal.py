"""Fourier transforms and filter banks."""

from __future__ import annotations

from typing import Any

import numpy as np

from pyhades.ir.graph import Dim, Node
from pyhades.ir.ops.elementwise import widened
from pyhades.ir.registry import Array, Operator, attribute, elements, ir_op
from pyhades.ir.shapes import (
    UNKNOWN,
    Shape,
    UnknownShape,
    agree,
    fail,
    integers_of,
    normalize_axis,
    shape_of,
)
from pyhades.ir.signature import DType
from pyhades.numerics.signal import fourier, mel_weights


def _number(node: Node, index: int, default: Dim) -> Dim:
    """A scalar input as a number; UNKNOWN where the network computes it."""
    try:
        numbers = integers_of(node, index)
    except UnknownShape:
        return UNKNOWN
    if numbers is not None and len(numbers) != 1:
        fail(node, f"input {index} must be a scalar")
    return default if numbers is None else numbers[0]


def _check_complex(node: Node, x: Shape) -> None:
    if len(x) < 2 or (isinstance(x[-1], int) and x[-1] not in (1, 2)):
        fail(node, f"x must end in an axis of 1 (real) or 2 (complex), has shape {x}")


@ir_op("DFT", "F, I?, int64? -> F", inverse=0, onesided=0)
class Dft(Operator):
    """Discrete Fourier transform along one axis; real and imaginary parts are the last axis."""

    def axis(self, node: Node, rank: int, stated: int | None) -> int:
        """The axis, counted from the front."""
        axis = normalize_axis(node, -2 if stated is None else stated, rank)
        if axis == rank - 1:
            fail(node, "the last axis holds real and imaginary parts")
        return axis

    def length(self, node: Node, extent: int, stated: int | None) -> int:
        """How many points are transformed."""
        if stated is None:
            halved = attribute(node, "inverse") and attribute(node, "onesided")
            return 2 * (extent - 1) if halved else extent
        if stated < 1:
            fail(node, f"dft_length {stated} is less than 1")
        return stated

    def shapes(self, node: Node) -> list[Shape]:
        x = shape_of(node, 0)
        _check_complex(node, x)
        inverse, onesided = attribute(node, "inverse"), attribute(node, "onesided")
        parts = 1 if inverse and onesided else 2
        if onesided and isinstance(x[-1], int) and x[-1] != (2 if inverse else 1):
            fail(node, "onesided is for real signals")
        stated = _number(node, 2, -2)
        if isinstance(stated, str):
            return [(*(UNKNOWN,) * (len(x) - 1), parts)]
        axis, wanted = self.axis(node, len(x), stated), _number(node, 1, -1)
        length: Dim = UNKNOWN
        if wanted == -1 and isinstance(x[axis], int):
            length = self.length(node, int(x[axis]), None)
        elif isinstance(wanted, int) and wanted != -1:
            length = self.length(node, 0, wanted)
        elif wanted == -1 and not onesided:
            length = x[axis]
        if onesided and not inverse and isinstance(length, int):
            length = length // 2 + 1
        return [(*x[:axis], length, *x[axis + 1 : -1], parts)]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, wanted, stated = (*inputs, None, None)[:3]
        axis = self.axis(node, x.ndim, None if stated is None else int(stated.reshape(())))
        wanted = None if wanted is None else int(wanted.reshape(()))
        length = self.length(node, x.shape[axis], wanted)
        inverse, onesided = bool(attribute(node, "inverse")), bool(attribute(node, "onesided"))
        return [fourier(widened(x), axis, length, inverse, onesided).astype(x.dtype)]

    def flops(self, node: Node) -> int:
        return 10 * elements(node.outputs[0].type)


@ir_op("STFT", "F, I, F?, I? -> F", onesided=1)
class Stft(Operator):
    """Fourier transforms of frames of x [b, length, 1 or 2]: [b, frames, bins, 2]."""

    def frames(self, node: Node, extent: int, step: int, length: int) -> int:
        """How many frames there are."""
        if step < 1 or length < 1:
            fail(node, f"frame_step {step} and frame_length {length} must be positive")
        if length > extent:
            fail(node, f"frames of {length} do not fit a signal of {extent}")
        return (extent - length) // step + 1

    def shapes(self, node: Node) -> list[Shape]:
        x = shape_of(node, 0)
        _check_complex(node, x)
        if len(x) != 3:
            fail(node, f"the signal must have rank 3, has {len(x)}")
        step, length = _number(node, 1, UNKNOWN), _number(node, 3, UNKNOWN)
        if node.input(2) is not None:
            (window,) = shape_of(node, 2)
            length = agree(node, length, window, "frame_length and the window")
        elif node.input(3) is None:
            length = x[1]
        frames: Dim = UNKNOWN
        if isinstance(x[1], int) and isinstance(step, int) and isinstance(length, int):
            frames = self.frames(node, x[1], step, length)
        bins = length
        if attribute(node, "onesided"):
            if x[2] == 2:
                fail(node, "onesided is for real signals")
            bins = length // 2 + 1 if isinstance(length, int) else UNKNOWN
        return [(x[0], frames, bins, 2)]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, step, window, length = (*inputs, None, None)[:4]
        count = x.shape[1] if length is None else int(length.reshape(()))
        count = count if window is None else len(window)
        step = int(step.reshape(()))
        starts = np.arange(self.frames(node, x.shape[1], step, count)) * step
        framed = widened(x)[:, starts[:, None] + np.arange(count)]
        if window is not None:
            framed = framed * widened(window)[:, None]
        y = fourier(framed, 2, count, False, bool(attribute(node, "onesided")))
        return [y.astype(x.dtype)]

    def flops(self, node: Node) -> int:
        return 10 * elements(node.outputs[0].type)


@ir_op("MelWeightMatrix", "I, I, I, F, F -> *", output_datatype=None)
class MelWeightMatrix(Operator):
    """Triangles in the mel scale over the bins of a spectrum."""

    def dtypes(self, node: Node) -> list[DType]:
        return [np.dtype(attribute(node, "output_datatype") or np.float32)]

    def shapes(self, node: Node) -> list[Shape]:
        bins, length = _number(node, 0, UNKNOWN), _number(node, 1, UNKNOWN)
        return [(length // 2 + 1 if isinstance(length, int) else UNKNOWN, bins)]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        bins, length, rate, lower, upper = (x.reshape(()).item() for x in inputs)
        return [mel_weights(bins, length, rate, lower, upper).astype(self.dtypes(node)[0])]
