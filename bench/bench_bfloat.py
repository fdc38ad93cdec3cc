"""Products of bfloat16 with their weights packed, beside what each tier can multiply at most."""

from __future__ import annotations

import numpy as np
import pytest

from bench.products import MATRICES, Convolution, Product, benchmark_product, matrix_views
from bench.roof import bfloat16_peak
from bench.traffic import benchmark_traffic
from pyhades import kernels
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


def numbers(*shape: int):
    return to_bf16(np.random.default_rng(0).standard_normal(shape, np.float32))


def convolution(name: str, isa: str, threads: int = 1) -> Product:
    case = Convolution(*CASES[name])
    read, weights, made = case.shapes
    x, w, y = numbers(*read), numbers(*weights), np.empty(made, np.uint16)
    constants = [w, np.zeros(made[-1], np.float32), None]
    return Product("conv2d_bf16", x, y, case.views, constants, case.attributes, isa, threads)


def matrices(name: str, isa: str, threads: int = 1) -> Product:
    m, k, n = MATRICES[name]
    x, y = numbers(m, k), np.empty((m, n), np.uint16)
    constants = [numbers(k, n), np.zeros(n, np.float32), None]
    return Product("linear_bf16", x, y, matrix_views(m, k, n), constants, {}, isa, threads)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", CASES)
def bench_conv_bf16(benchmark, name, tier, threads):
    benchmark_product(benchmark, convolution, name, tier, threads, bfloat16_peak)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", MATRICES)
def bench_linear_bf16(benchmark, name, tier, threads):
    benchmark_product(benchmark, matrices, name, tier, threads, bfloat16_peak)


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
