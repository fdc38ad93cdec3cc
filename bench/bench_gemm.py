"""Matrix products of InSPyReNet's Swin-B at 384 x 384, per tier, beside the roof of that tier."""

from __future__ import annotations

import numpy as np
import pytest

from bench.arrays import normal
from bench.compute import benchmark_compute
from pyhades import _native, kernels

TIERS = [tier for tier in _native.supported_tiers() if tier in ("scalar", "avx2", "avx512")]
SHAPES = [
    (9216, 128, 384),
    (9216, 128, 512),
    (9216, 512, 128),
    (2304, 256, 1024),
    (2304, 1024, 256),
    (576, 512, 2048),
    (576, 2048, 512),
    (144, 1024, 4096),
    (144, 4096, 1024),
]


def product(shape, isa, threads):
    """A product with its weights packed, and what it costs."""
    m, k, n = shape
    a, b = normal(m, k), kernels.pack_matrix(normal(k, n), isa=isa)
    out = np.empty((m, n), np.float32)
    return lambda: kernels.gemm(a, b, out=out, threads=threads, isa=isa), 2.0 * m * k * n


def few_rows(shape):
    """The same weights for fewer rows, which the scalar tier multiplies in a bearable time."""
    m, k, n = shape
    return min(m, max(1, 2**24 // (k * n))), k, n


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("isa", TIERS)
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "x".join(map(str, shape)))
def bench_gemm(benchmark, shape, isa, threads):
    benchmark.group = f"gemm {shape}"
    run, flops = product(few_rows(shape) if isa == "scalar" else shape, isa, threads)
    scalar = product(few_rows(shape), "scalar", 1)
    benchmark_compute(benchmark, run, flops, isa, threads, scalar)


@pytest.mark.parametrize("isa", TIERS)
@pytest.mark.parametrize("shape", [(256, 144, 32, 144), (1, 96, 768, 96), (1, 5, 36864, 128)])
def bench_matmul(benchmark, shape, isa):
    batch, m, k, n = shape
    a, b = normal(batch, m, k), normal(batch, k, n)
    out = np.empty((batch, m, n), np.float32)
    benchmark.group = f"matmul {shape}"

    def run(tier: str = isa, first: int = batch) -> None:
        kernels.matmul(a[:first], b[:first], out=out[:first], threads=1, isa=tier)

    few = max(1, batch // 16)
    scalar = (lambda: run("scalar", few)), 2.0 * few * m * k * n
    benchmark_compute(benchmark, run, 2.0 * batch * m * k * n, isa, scalar=scalar)


@pytest.mark.parametrize("dtype", ["float16", "float64", "int32"])
def bench_matmul_of_other_dtypes(benchmark, dtype):
    """The baseline's loop."""
    a = np.ones((1, 1, 128, 128), dtype)
    inputs, y = [a, a, None, None], np.empty_like(a)

    def run() -> None:
        _native.call("matmul", inputs, [y], {"alpha": 1.0}, threads=1, isa="scalar")

    benchmark_compute(benchmark, run, 2.0 * 128**3, "scalar")
