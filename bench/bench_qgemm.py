"""Matrix products with quantised weights at shapes of gpt-oss: streamed from memory, and in bulk.

One row of activations is bound by memory: GB/s of packed weights. Many rows are bound by products;
their rates count two operations per weight and row, of integers where activations are int8.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from bench.compute import benchmark_compute
from bench.traffic import benchmark_traffic
from bench.weights import random_weight, streamed_weights
from pyhades import _native, kernels
from pyhades.quant import FORMATS

QKV, DOWN = (5120, 2880), (2880, 2880)


WIDE = ("bf16", "f32")  # formats whose products are always of floats


def cases(integers_with_floats: Iterable[str]) -> list[tuple[str, str, str]]:
    """Formats, what activations are, and the tiers that have a kernel of their own for it."""
    pairs = [(name, "bf16" if name in WIDE else "int8") for name in FORMATS]
    found = []
    for format, compute in [*pairs, *((name, "bf16") for name in integers_with_floats)]:
        function = f"qgemm_{format}_{'q8' if compute == 'int8' else 'f32'}"
        found += [
            (format, compute, isa)
            for isa in kernels.supported_tiers()
            if kernels.selected(function, isa=isa) == f"{function}_{isa}"
        ]
    return found


CASES = cases(["mxfp4"])
ALL_CASES = cases([name for name in FORMATS if name not in WIDE])


def activations(m: int, k: int, compute: str) -> np.ndarray:
    x = np.random.default_rng(0).standard_normal((m, k)).astype(np.float32)
    return kernels.quantize_rows(x, compute)


def product(a, w, out, threads, isa) -> None:
    multiply = kernels.qgemm_int8 if a.dtype == np.uint8 else kernels.qgemm
    multiply(a, w, out=out, threads=threads, isa=isa)


@pytest.mark.benchmark(max_time=0.1, min_rounds=3)
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("case", ALL_CASES, ids="-".join)
def bench_one_row(benchmark, case, threads):
    format, compute, isa = case
    if isa == "scalar" and threads > 1:
        pytest.skip("bound by instructions: it says nothing about memory")
    weights = streamed_weights(format, *QKV)[: 1 if isa == "scalar" else None]
    a, out = activations(1, QKV[1], compute), np.empty((1, QKV[0]), np.float32)
    benchmark.group = f"one row, {format}, {compute}"

    def run(tier: str) -> None:
        for w in weights:
            product(a, w, out, threads, tier)

    nbytes = sum(w.nbytes for w in weights)
    benchmark_traffic(benchmark, run, isa, nbytes, threads, with_scalar=False)


@pytest.mark.parametrize("m", [16, 64, 512])
@pytest.mark.parametrize("case", CASES, ids="-".join)
def bench_many_rows(benchmark, case, m):
    format, compute, isa = case
    if isa == "scalar":
        pytest.skip("what the other tiers are compared with")
    w = random_weight(format, *DOWN)
    benchmark.group = f"{m} rows, {format}, {compute}"

    def run_and_flops(rows: int, tier: str):
        a, out = activations(rows, DOWN[1], compute), np.empty((rows, DOWN[0]), np.float32)
        return (lambda: product(a, w, out, 1, tier)), 2.0 * rows * DOWN[0] * DOWN[1]

    run, flops = run_and_flops(m, isa)
    benchmark_compute(benchmark, run, flops, isa, scalar=run_and_flops(1, "scalar"))


@pytest.mark.parametrize("format", ["mxfp4", "int8_g32"])
def bench_two_threads(benchmark, format):
    w, a = random_weight(format, *QKV), activations(512, QKV[1], "int8")
    out = np.empty((512, QKV[0]), np.float32)
    isa = _native.tier_name()
    benchmark.group = f"512 rows, {format}, two threads"
    flops = 2.0 * 512 * QKV[0] * QKV[1]
    benchmark_compute(benchmark, lambda: product(a, w, out, 2, isa), flops, isa, threads=2)
