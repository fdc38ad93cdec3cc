"""Copies and padding at the shapes of the real models."""

from __future__ import annotations

import numpy as np
import pytest

from bench.traffic import benchmark_traffic
from pyhades import kernels

COPIES = {
    "planar to channels-last 64x160x160": ((1, 64, 160, 160), (0, 2, 3, 1)),
    "channels-last to planar 64x160x160": ((1, 160, 160, 64), (0, 3, 1, 2)),
    "interleave 3x384x384": ((1, 3, 384, 384), (0, 2, 3, 1)),
    "windows 12x12 of 96x96x128": ((8, 12, 8, 12, 128), (0, 2, 1, 3, 4)),
    "attention heads 144x4x32": ((64, 144, 4, 32), (0, 2, 1, 3)),
    "contiguous 16 MiB": ((4096, 1024), (0, 1)),
}


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
@pytest.mark.parametrize("name", COPIES)
def bench_copy(benchmark, isa, name, dtype):
    shape, axes = COPIES[name]
    x = np.random.default_rng(0).integers(0, 256, shape).astype(dtype).transpose(axes)
    out = np.empty(x.shape, dtype)
    benchmark_traffic(benchmark, lambda tier: kernels.copy(x, out=out, isa=tier), isa, 2 * x.nbytes)


WIDTHS = ["uint8", "float16", "float32", "float64"]


@pytest.mark.parametrize("dtype", WIDTHS)
def bench_strided_copy(benchmark, dtype):
    """Every other element: neither rows nor a transposition."""
    x = np.ones((64, 160, 320), dtype)[:, :, ::2]
    out = np.empty(x.shape, dtype)
    benchmark_traffic(
        benchmark, lambda tier: kernels.copy(x, out=out, isa=tier), "scalar", 2 * out.nbytes
    )


@pytest.mark.parametrize("dtype", WIDTHS)
def bench_pad(benchmark, dtype, isa):
    x = np.ones((1, 320, 320, 64), dtype)
    pads = [(0, 0), (1, 1), (1, 1), (0, 0)]
    out = np.empty((1, 322, 322, 64), dtype)

    def run(tier):
        kernels.pad(x, pads, out=out, isa=tier)

    benchmark_traffic(benchmark, run, isa, x.nbytes + out.nbytes)
