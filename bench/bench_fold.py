"""Folding of patches, as attention over unfolded pictures does it."""

from __future__ import annotations

import numpy as np
import pytest

from bench.traffic import benchmark_traffic
from pyhades import kernels

# name: (channels, size, kernel, stride, pad)
CASES = {
    "patches of 4, stride 2": (128, 64, 4, 2, 1),
    "patches of 3": (64, 96, 3, 1, 1),
    "patches side by side": (64, 128, 8, 8, 0),
}


@pytest.mark.parametrize("name", CASES)
def bench_fold(benchmark, isa, name):
    channels, size, kernel, stride, pad = CASES[name]
    blocks = ((size + 2 * pad - kernel) // stride + 1) ** 2
    columns = np.ones((1, channels * kernel**2, blocks), np.float32)
    out = np.empty((1, channels, size, size), np.float32)

    def run(tier):
        window = ((kernel,) * 2, (stride,) * 2, (pad,) * 4)
        kernels.fold(columns, (size, size), *window, out=out, isa=tier)

    benchmark_traffic(benchmark, run, isa, columns.nbytes + out.nbytes)
