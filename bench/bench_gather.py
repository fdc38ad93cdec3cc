"""Gathers: the relative position bias of Swin, and rows of a table."""

from __future__ import annotations

import numpy as np
import pytest

from bench.traffic import benchmark_traffic
from pyhades import kernels

TABLES = {"bias 529x4": ((529, 4), 144 * 144), "rows 4096x512": ((4096, 512), 8192)}


@pytest.mark.parametrize("name", TABLES)
def bench_gather(benchmark, name):
    shape, count = TABLES[name]
    rng = np.random.default_rng(0)
    x = rng.random(shape, np.float32)
    indices = rng.integers(0, shape[0], count)
    out = np.empty((count, shape[1]), np.float32)

    def run(tier):
        kernels.gather(x, indices, out=out, isa=tier)

    benchmark_traffic(benchmark, run, "scalar", 2 * out.nbytes)


@pytest.mark.benchmark(max_time=0.2, min_rounds=3)
@pytest.mark.parametrize("dtype", ["uint8", "float16", "float64"])
def bench_gather_of_other_widths(benchmark, dtype):
    x = np.ones((4096, 512), dtype)
    indices = np.random.default_rng(0).integers(0, 4096, 8192)
    out = np.empty((8192, 512), dtype)
    benchmark_traffic(
        benchmark,
        lambda tier: kernels.gather(x, indices, out=out, isa=tier),
        "scalar",
        2 * out.nbytes,
    )


REDUCTIONS = {
    *[("none", dtype) for dtype in ("uint8", "float16", "float32", "float64")],
    *[
        (function, dtype)
        for function in ("add", "mul", "max", "min")
        for dtype in ("float32", "float64", "int8", "uint8", "int32", "int64", "uint64")
    ],
}


@pytest.mark.benchmark(max_time=0.2, min_rounds=3)
@pytest.mark.parametrize(("reduction", "dtype"), sorted(REDUCTIONS))
def bench_scatter(benchmark, reduction, dtype):
    rng = np.random.default_rng(0)
    x, updates = np.ones((4096, 64), dtype), np.ones((8192, 64), dtype)
    indices = rng.integers(0, 4096, (8192, 1))
    out = np.empty_like(x)
    benchmark.group = f"scatter, {reduction}"

    def run(tier):
        kernels.scatter_nd(x, indices, updates, reduction, out=out, isa=tier)

    benchmark_traffic(benchmark, run, "scalar", 3 * updates.nbytes + 2 * x.nbytes)
