"""Pooling at the shapes of U²-Net."""

from __future__ import annotations

import numpy as np
import pytest

from bench.traffic import benchmark_traffic
from pyhades import kernels

SHAPES = [(320, 64), (160, 32), (80, 128), (20, 512)]


def channels_last(size, channels, dtype="float32"):
    x = np.random.default_rng(0).random((1, size, size, channels), np.float32) * 255
    return x.astype(dtype).transpose(0, 3, 1, 2)


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
@pytest.mark.parametrize(("size", "channels"), SHAPES)
def bench_max_pool(benchmark, isa, size, channels, dtype):
    x = channels_last(size, channels, dtype)
    out = channels_last(size // 2, channels, dtype)

    def run(tier):
        kernels.max_pool(x, (2, 2), out=out, isa=tier)

    benchmark_traffic(benchmark, run, isa, x.nbytes + out.nbytes)


def bench_max_pool_indices(benchmark, isa):
    x = channels_last(160, 64)

    def run(tier):
        kernels.max_pool(x, (2, 2), (2, 2), return_indices=True, isa=tier)

    benchmark_traffic(benchmark, run, isa, x.nbytes + 3 * x.nbytes // 4)


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "int8"])
@pytest.mark.parametrize("function", ["max", "average"])
def bench_planar(benchmark, function, dtype):
    """Channels first and other dtypes: the baseline's loop over any strides."""
    if function == "average" and not dtype.startswith("float"):
        pytest.skip("averages are of floats")
    x, out = np.ones((1, 64, 160, 160), dtype), np.empty((1, 64, 80, 80), dtype)
    pool = kernels.max_pool if function == "max" else kernels.average_pool
    benchmark_traffic(
        benchmark,
        lambda tier: pool(x, (2, 2), (2, 2), out=out, isa=tier),
        "scalar",
        x.nbytes + out.nbytes,
    )


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def bench_average_pool(benchmark, isa, dtype):
    x = channels_last(160, 64, dtype)
    out = channels_last(160, 64, dtype)

    def run(tier):
        kernels.average_pool(x, (3, 3), (1, 1), (1, 1, 1, 1), out=out, isa=tier)

    benchmark_traffic(benchmark, run, isa, x.nbytes + out.nbytes)
