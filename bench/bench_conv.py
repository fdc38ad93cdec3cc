"""Convolutions of U²-Net and InSPyReNet with their weights packed, beside the roof of each tier."""

from __future__ import annotations

import numpy as np
import pytest

from bench.compute import benchmark_compute
from pyhades import _native
from pyhades.kernels.conv import output_size

# name: (channels, outputs, size, kernel, stride, pad, dilation, groups)
CASES = {
    "stage_3x3": (64, 64, 80, 3, 1, 1, 1, 1),
    "narrow_3x3": (64, 16, 160, 3, 1, 1, 1, 1),
    "deep_3x3": (256, 256, 20, 3, 1, 1, 1, 1),
    "dilated_3x3": (256, 256, 20, 3, 1, 4, 4, 1),
    "first_3x3": (3, 64, 160, 3, 1, 1, 1, 1),
    "pointwise": (256, 64, 96, 1, 1, 0, 1, 1),
    "patch_embedding": (3, 128, 384, 4, 4, 0, 1, 1),
    "depthwise": (128, 128, 96, 3, 1, 1, 1, 128),
    "side_output": (64, 1, 160, 3, 1, 1, 1, 1),
    "winograd_3x3": (64, 64, 80, 3, 1, 1, 1, 1),
}


class Convolution:
    """A Program of one convolution on one tier, with the arrays that it reads and writes."""

    def __init__(self, name: str, isa: str, threads: int = 1) -> None:
        channels, outputs, size, kernel, stride, pad, dilation, groups = CASES[name]
        side, _ = output_size(
            (size, size), (kernel, kernel), (stride,) * 2, (pad,) * 4, (dilation,) * 2
        )
        rng = np.random.default_rng(0)
        w = rng.standard_normal((outputs, channels // groups, kernel, kernel), np.float32)
        x = rng.standard_normal((size, size, channels), np.float32)
        y = np.empty((side, side, outputs), np.float32)
        builder = _native.ProgramBuilder(isa=isa)
        x_slot, y_slot = builder.io("x", x.nbytes), builder.io("y", y.nbytes)
        w_slot = builder.constant(w, f"bench_conv/{name}")
        strides = tuple(stride // w.itemsize for stride in w.strides)
        builder.emit(
            "conv2d",
            [image(x_slot, size, channels), (w_slot, 0, "float32", w.shape, strides), None, None],
            [image(y_slot, side, outputs)],
            {
                "strides": [stride] * 2,
                "pads": [pad] * 4,
                "dilations": [dilation] * 2,
                "groups": groups,
                "activation": "relu",
                "algorithm": "winograd" if name.startswith("winograd") else "auto",
            },
            name,
        )
        self.flops = 2.0 * y.size * w[0].size
        self.bindings = {x_slot: x, y_slot: y}
        self.context = _native.Context(builder.build(0), _native.team_of(threads))

    def run(self) -> None:
        self.context.run(self.bindings)


def image(slot: int, size: int, channels: int) -> tuple[object, ...]:
    """A channels-last operand of logical shape [1, channels, size, size]."""
    pixels = size * channels
    return (slot, 0, "float32", (1, channels, size, size), (size * pixels, 1, pixels, channels))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", CASES)
def bench_conv(benchmark, name, isa, threads):
    convolution = Convolution(name, isa, threads)
    slow = Convolution(name, "scalar")
    benchmark.group = name
    benchmark_compute(
        benchmark, convolution.run, convolution.flops, isa, threads, (slow.run, slow.flops)
    )
    benchmark.extra_info["kernel"] = convolution.context.program.instructions[0].kernel
