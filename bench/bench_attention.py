"""Attention: the windows of Swin-B at 384 x 384, and long sequences, beside the roof."""

from __future__ import annotations

import numpy as np
import pytest

from bench.arrays import normal
from bench.bench_gemm import TIERS
from bench.compute import benchmark_compute
from pyhades import kernels

WINDOWS = [(64, 4), (16, 8), (4, 16), (1, 32)]  # windows, heads; 144 tokens, 32 channels a head


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("isa", TIERS)
@pytest.mark.parametrize("shape", WINDOWS, ids=lambda shape: "x".join(map(str, shape)))
def bench_swin_windows(benchmark, shape, isa, threads):
    windows, heads = shape
    qkv = normal(windows, 144, 3, heads, 32)
    q, k, v = (qkv[:, :, i].transpose(0, 2, 1, 3) for i in range(3))
    bias, mask = normal(heads, 144, 144), normal(windows, 1, 144, 144)
    out = np.empty(q.shape, np.float32)
    benchmark.group = f"windows {shape}"
    flops = 4.0 * heads * 144 * 144 * 32

    def run(tier: str = isa, count: int = threads, first: int = windows) -> None:
        operands = (operand[:first] for operand in (q, k, v))
        options = {"bias": bias, "mask": mask[:first], "out": out[:first]}
        kernels.attention(*operands, **options, threads=count, isa=tier)

    scalar = (lambda: run("scalar", 1, 1)), flops
    benchmark_compute(benchmark, run, windows * flops, isa, threads, scalar)


@pytest.mark.parametrize("isa", TIERS)
@pytest.mark.parametrize("queries", [1, 512])
def bench_long_sequence(benchmark, queries, isa):
    q, k, v = normal(1, 8, queries, 64), normal(1, 2, 2048, 64), normal(1, 2, 2048, 64)
    out = np.empty(q.shape, np.float32)
    benchmark.group = f"{queries} queries"
    flops = 4.0 * 8 * 2048 * 64
    few = min(queries, 32)
    some, some_out = q[:, :, :few], np.empty((1, 8, few, 64), np.float32)
    benchmark_compute(
        benchmark,
        lambda: kernels.attention(q, k, v, out=out, threads=1, isa=isa),
        queries * flops,
        isa,
        scalar=(
            lambda: kernels.attention(some, k, v, out=some_out, threads=1, isa="scalar"),
            few * flops,
        ),
    )
