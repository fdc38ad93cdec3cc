"""Deformable convolutions of BiRefNet's decoder with their weights packed, beside the roof."""

from __future__ import annotations

import numpy as np
import pytest

from bench.compute import benchmark_compute
from pyhades import _native

# name: (channels, outputs, size, kernel)
CASES = {
    "pointwise": (64, 64, 64, 1),
    "3x3": (64, 64, 64, 3),
    "7x7": (64, 64, 64, 7),
    "deep 3x3": (256, 256, 32, 3),
    "deep 7x7": (256, 64, 32, 7),
}


class DeformableConvolution:
    """A Program of one deformable convolution on one tier."""

    def __init__(self, name: str, isa: str, threads: int = 1) -> None:
        channels, outputs, size, kernel = CASES[name]
        rng = np.random.default_rng(0)
        taps = kernel**2
        w = rng.standard_normal((outputs, channels, kernel, kernel), np.float32)
        builder = _native.ProgramBuilder(isa=isa)
        self.bindings = {}

        def image(name, planes):
            array = rng.standard_normal((size, size, planes), np.float32)
            slot = builder.io(name, array.nbytes)
            self.bindings[slot] = array
            strides = (array.size, 1, size * planes, planes)
            return slot, 0, "float32", (1, planes, size, size), strides

        slot = builder.constant(w, f"bench_deform/{name}")
        weight = (slot, 0, "float32", w.shape, tuple(step // w.itemsize for step in w.strides))
        x, offset, mask = image("x", channels), image("offset", 2 * taps), image("mask", taps)
        attributes = {"pads": [kernel // 2] * 4}
        operands = [x, weight, offset, None, mask]
        builder.emit("deform_conv2d", operands, [image("y", outputs)], attributes, name)
        self.flops = 2.0 * size**2 * w.size
        self.context = _native.Context(builder.build(0), _native.team_of(threads))

    def run(self) -> None:
        self.context.run(self.bindings)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", CASES)
def bench_deform_conv2d(benchmark, isa, name, threads):
    convolution = DeformableConvolution(name, isa, threads)
    scalar = DeformableConvolution(name, "scalar")
    benchmark_compute(
        benchmark,
        convolution.run,
        convolution.flops,
        isa,
        threads,
        (scalar.run, scalar.flops),
    )
