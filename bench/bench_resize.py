"""Resizing at the shapes of U²-Net and InSPyReNet."""

from __future__ import annotations

import numpy as np
import pytest

from bench.arrays import channels_last
from bench.traffic import benchmark_traffic
from pyhades import kernels

IMAGES = {
    "channels-last 64, 160 to 320": ((1, 64, 160, 160), 320, True),
    "channels-last 512, 10 to 20": ((1, 512, 10, 10), 20, True),
    "channels-last 64, 96 to 384": ((1, 64, 96, 96), 384, True),
    "planar 1, 20 to 320": ((1, 1, 20, 20), 320, False),
    "planar 1, 384 to 96": ((1, 1, 384, 384), 96, False),
}


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("name", IMAGES)
def bench_resize(benchmark, isa, name, mode):
    shape, size, is_last = IMAGES[name]
    x = np.random.default_rng(0).random(shape, np.float32)
    out = np.empty((*shape[:2], size, size), np.float32)
    if is_last:
        x, out = channels_last(x), channels_last(out)

    def run(tier):
        kernels.resize(x, (size, size), mode=mode, out=out, isa=tier)

    benchmark_traffic(benchmark, run, isa, x.nbytes + out.nbytes)


@pytest.mark.parametrize("rounding", ["truncate", "nearest"])
@pytest.mark.parametrize("name", IMAGES)
def bench_resize_of_bytes(benchmark, isa, name, rounding):
    shape, size, is_last = IMAGES[name]
    x = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    if is_last:
        x = channels_last(x)
    out = kernels.resize(x, (size, size), rounding=rounding)

    def run(tier):
        kernels.resize(x, (size, size), rounding=rounding, out=out, isa=tier)

    benchmark_traffic(benchmark, run, isa, x.nbytes + out.nbytes)


@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize("dtype", ["uint8", "int8", "float16", "int32", "float32", "float64"])
def bench_resize_of_any_strides(benchmark, dtype, mode):
    """Three axes at once, and dtypes that networks hold rarely: the baseline's loop."""
    if mode == "linear" and dtype == "float16":
        pytest.skip("interpolation is of float32, float64, uint8, int8 and int32")
    x, out = np.ones((1, 16, 40, 40), dtype), np.empty((1, 32, 80, 80), dtype)

    def run(tier):
        kernels.resize(x, (32, 80, 80), mode=mode, out=out, isa=tier)

    benchmark_traffic(benchmark, run, "scalar", x.nbytes + out.nbytes)
