"""Sampling at grids, as deformable attention and warping do it."""

from __future__ import annotations

import numpy as np
import pytest

from bench.arrays import channels_last
from bench.traffic import benchmark_traffic
from pyhades import kernels

# name: (images, channels, size, positions, channels-last)
CASES = {
    "deformable attention": (8, 32, 64, (5376, 4), True),
    "warped features": (1, 64, 96, (96, 96), True),
    "warped features, planar": (1, 64, 96, (96, 96), False),
    "warped picture": (1, 3, 512, (512, 512), False),
}


@pytest.mark.parametrize("mode", ["linear", "nearest", "cubic"])
@pytest.mark.parametrize("name", CASES)
def bench_grid_sample(benchmark, isa, name, mode):
    images, channels, size, positions, is_last = CASES[name]
    rng = np.random.default_rng(0)
    x = rng.random((images, channels, size, size), np.float32)
    grid = rng.uniform(-1, 1, (images, *positions, 2)).astype(np.float32)
    out = np.empty((images, channels, *positions), np.float32)
    if is_last:
        x, out = channels_last(x), channels_last(out)

    def run(tier):
        kernels.grid_sample(x, grid, mode, out=out, isa=tier)

    benchmark_traffic(benchmark, run, isa, x.nbytes + grid.nbytes + out.nbytes)
