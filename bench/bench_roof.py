"""The probes of the roof as kernels: what the share of peak of the others is taken of."""

from __future__ import annotations

import numpy as np
import pytest

from bench.compute import benchmark_compute
from bench.traffic import benchmark_traffic
from pyhades import _native

ROUNDS = 1_000_000
BYTES = 64 << 20
CHAINS = 12
LANES = {"scalar": 1, "avx2": 8, "avx512": 16, "avx512_vnni": 16, "avx512_bf16": 16}


def benchmark_chains(benchmark, op, function, products, isa):
    """Time twelve chains of ``products`` multiplications and additions per lane."""
    lanes = LANES[_native.selected(function, isa).removeprefix(f"{function}_")]
    y = np.empty(1, np.float32)
    benchmark_compute(
        benchmark,
        lambda: _native.call(op, [], [y], {"rounds": ROUNDS}, threads=1, isa=isa),
        2 * CHAINS * products * lanes * ROUNDS,
        isa,
    )


def bench_multiply_adds(benchmark, isa):
    benchmark_chains(benchmark, "roof_multiply_add", "roof_multiply_add_f32", 1, isa)


def bench_dot_products(benchmark, tier):
    benchmark_chains(benchmark, "roof_dot", "roof_dot_i8", 4, tier)


def bench_bf16_products(benchmark, tier):
    benchmark_chains(benchmark, "roof_dot_bf16", "roof_dot_bf16", 2, tier)


@pytest.mark.benchmark(max_time=0.3, min_rounds=5)
def bench_reading(benchmark, isa):
    x, y = np.ones(BYTES // 4, np.float32), np.empty(1, np.float32)
    benchmark_traffic(
        benchmark,
        lambda tier: _native.call("roof_read", [x], [y], threads=1, isa=tier),
        isa,
        x.nbytes,
    )
