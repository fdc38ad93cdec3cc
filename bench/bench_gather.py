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


def bench_scatter_add(benchmark):
    rng = np.random.default_rng(0)
    x = rng.random((4096, 64), np.float32)
    updates = rng.random((8192, 64), np.float32)
    indices = rng.integers(0, 4096, (8192, 1))
    out = np.empty_like(x)

    def run(tier):
        kernels.scatter_nd(x, indices, updates, "add", out=out, isa=tier)

    benchmark_traffic(benchmark, run, "scalar", 3 * updates.nbytes + 2 * x.nbytes)
