"""Products of bfloat16 with their weights packed, beside what each tier can multiply at most."""

from __future__ import annotations

import numpy as np
import pytest

from bench.compute import benchmark_compute
from bench.roof import bfloat16_peak
from bench.traffic import benchmark_traffic
from pyhades import _native, kernels
from pyhades.quant import to_bf16

# name: (channels, outputs, size, kernel, stride, pad, dilation, groups)
CASES = {
    "stage_3x3": (64, 64, 160, 3, 1, 1, 1, 1),
    "narrow_3x3": (32, 16, 160, 3, 1, 1, 1, 1),
    "narrowest_3x3": (16, 16, 160, 3, 1, 1, 1, 1),
    "dilated_3x3": (64, 64, 80, 3, 1, 2, 2, 1),
    "deep_3x3": (256, 128, 40, 3, 1, 1, 1, 1),
    "small_3x3": (512, 256, 10, 3, 1, 2, 2, 1),
    "pointwise": (256, 64, 96, 1, 1, 0, 1, 1),
    "pointwise_expand": (128, 512, 96, 1, 1, 0, 1, 1),
    "strided_3x3": (64, 128, 80, 3, 2, 1, 1, 1),
    "grouped_8": (256, 256, 28, 3, 1, 1, 1, 32),
}
"""Of U²-Net, InSPyReNet and others."""

MATRICES = {
    "swin_in": (9216, 128, 512),
    "swin_out": (9216, 512, 128),
    "swin_deep": (2304, 1024, 256),
    "swin_deepest": (576, 512, 2048),
}


class Product:
    """A Program of one operator on one tier, with the arrays that it reads and writes."""

    def __init__(self, op: str, x, w, y, views, attributes, isa: str, threads: int) -> None:
        builder = _native.ProgramBuilder(isa=isa)
        x_slot, y_slot = builder.io("x", x.nbytes), builder.io("y", y.nbytes)
        bias = np.zeros(y.shape[-1], np.float32)
        builder.emit(
            op,
            [
                (x_slot, 0, "uint16", *views[0]),
                dense(builder.constant(w, f"bench_bfloat/{op}/w"), w),
                dense(builder.constant(bias, f"bench_bfloat/{op}/bias"), bias),
                None,
            ],
            [(y_slot, 0, "uint16", *views[1])],
            {**attributes, "activation": "relu"},
            op,
        )
        self.operations = 2.0 * y.size * w.size / y.shape[-1]
        self.bindings = {x_slot: x, y_slot: y}
        self.context = _native.Context(builder.build(0), _native.team_of(threads))

    def run(self) -> None:
        self.context.run(self.bindings)


def dense(slot, array):
    strides = tuple(stride // array.itemsize for stride in array.strides)
    return (slot, 0, array.dtype.name, array.shape, strides)


def numbers(*shape: int):
    return to_bf16(np.random.default_rng(0).standard_normal(shape, np.float32))


def convolution(name: str, isa: str, threads: int = 1) -> Product:
    channels, outputs, size, kernel, stride, pad, dilation, groups = CASES[name]
    side = (size + 2 * pad - (kernel - 1) * dilation - 1) // stride + 1
    x, w = numbers(size, size, channels), numbers(outputs, channels // groups, kernel, kernel)
    y = np.empty((side, side, outputs), np.uint16)
    attributes = {
        "strides": [stride] * 2,
        "pads": [pad] * 4,
        "dilations": [dilation] * 2,
        "groups": groups,
    }
    views = [image(size, channels), image(side, outputs)]
    return Product("conv2d_bf16", x, w, y, views, attributes, isa, threads)


def matrices(name: str, isa: str, threads: int = 1) -> Product:
    m, k, n = MATRICES[name]
    y = np.empty((m, n), np.uint16)
    views = [((m, k), (k, 1)), ((m, n), (n, 1))]
    return Product("linear_bf16", numbers(m, k), numbers(k, n), y, views, {}, isa, threads)


def image(size: int, channels: int):
    """Shape and strides of a channels-last operand."""
    pixels = size * channels
    return ((1, channels, size, size), (size * pixels, 1, pixels, channels))


def measure(benchmark, make, name: str, isa: str, threads: int) -> None:
    product, slow = make(name, isa, threads), make(name, "scalar")
    benchmark.group = name
    scalar = None if benchmark.disabled else (slow.run, slow.operations)
    benchmark_compute(
        benchmark, product.run, product.operations, isa, threads, scalar, bfloat16_peak
    )
    benchmark.extra_info["kernel"] = product.context.program.instructions[0].kernel


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", CASES)
def bench_conv_bf16(benchmark, name, tier, threads):
    measure(benchmark, convolution, name, tier, threads)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", MATRICES)
def bench_linear_bf16(benchmark, name, tier, threads):
    measure(benchmark, matrices, name, tier, threads)


@pytest.mark.benchmark(max_time=0.2, min_rounds=3)
def bench_narrow(benchmark, isa):
    x = np.ones((1, 160, 160, 64), np.float32)
    out = np.empty(x.shape, np.uint16)

    def run(tier: str) -> None:
        kernels.narrow_bf16(x, out=out, threads=1, isa=tier)

    benchmark_traffic(benchmark, run, isa, x.nbytes + out.nbytes)


@pytest.mark.benchmark(max_time=0.2, min_rounds=3)
def bench_max_pool_bf16(benchmark, isa):
    x = numbers(1, 160, 160, 64).transpose(0, 3, 1, 2)

    def run(tier: str) -> None:
        kernels.max_pool_bf16(x, (2, 2), isa=tier, threads=1)

    benchmark_traffic(benchmark, run, isa, x.nbytes * 5 / 4)
