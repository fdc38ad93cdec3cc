"""Between float32 and grids of 8 bits: images of a feature map's size."""

from __future__ import annotations

import numpy as np
import pytest

from bench.traffic import benchmark_traffic
from pyhades import kernels

SHAPE = (1, 160, 160, 64)
BYTES = np.random.default_rng(0).integers(0, 256, SHAPE, np.uint8)
FLOATS = BYTES.astype(np.float32)
CASES = {
    "requantize": (BYTES, "uint8"),
    "quantize": (FLOATS, "uint8"),
    "dequantize": (BYTES, "float32"),
    "dequantize transposed": (BYTES, "float32"),
}


@pytest.mark.benchmark(max_time=0.2, min_rounds=3)
@pytest.mark.parametrize("name", CASES)
def bench_grids(benchmark, isa, name):
    x, dtype = CASES[name]
    out = np.empty(SHAPE, dtype)
    if name.endswith("transposed"):
        x = np.moveaxis(x.reshape(1, 64, 160, 160), 1, -1)
    benchmark.group = name

    def run(tier: str) -> None:
        kernels.requantize(x, 0.7, 3, 0.9, 4, dtype=dtype, out=out, threads=1, isa=tier)

    benchmark_traffic(benchmark, run, isa, x.nbytes + out.nbytes)
