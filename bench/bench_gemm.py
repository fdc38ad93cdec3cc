"""Matrix products of InSPyReNet's Swin-B at 384 x 384, per tier, beside the roof of that tier."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bench.roof import roof
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


def random(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def record(benchmark, run: Callable[[], object], flops: float, isa: str, threads: int) -> None:
    """Time ``run`` and add GFLOP/s and the share of a peak measured right after."""
    benchmark.pedantic(run, rounds=5, warmup_rounds=1)
    gflops = flops / benchmark.stats.stats.min * 1e-9
    benchmark.extra_info["gflops"] = round(gflops, 1)
    benchmark.extra_info["share_of_peak"] = round(gflops / roof(isa, threads).gflops, 3)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("isa", TIERS)
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "x".join(map(str, shape)))
def bench_gemm(benchmark, shape, isa, threads):
    m, k, n = shape
    if isa == "scalar" and m * k * n > 2**28:
        m = max(1, 2**26 // (k * n))  # the same work per row in a bearable time
    a, b, out = random(m, k), kernels.pack(random(k, n), isa=isa), np.empty((m, n), np.float32)
    record(
        benchmark,
        lambda: kernels.gemm(a, b, out=out, threads=threads, isa=isa),
        2.0 * m * k * n,
        isa,
        threads,
    )


@pytest.mark.parametrize("isa", TIERS)
@pytest.mark.parametrize("shape", [(256, 144, 32, 144), (1, 96, 768, 96), (1, 5, 36864, 128)])
def bench_matmul(benchmark, shape, isa):
    batch, m, k, n = shape
    a, b = random(batch, m, k), random(batch, k, n)
    run = lambda: kernels.matmul(a, b, threads=1, isa=isa)  # noqa: E731
    record(benchmark, run, 2.0 * batch * m * k * n, isa, 1)
