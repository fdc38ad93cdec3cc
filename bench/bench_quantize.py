"""Activations into int8 and bfloat16 at the width of gpt-oss; weights into the packed layout."""

from __future__ import annotations

import pytest

from bench.arrays import normal
from bench.traffic import benchmark_traffic
from pyhades import kernels
from pyhades.quant import quantize

WIDTH = 2880


@pytest.mark.benchmark(max_time=0.2, min_rounds=3)
@pytest.mark.parametrize("rows", [64, 512])
@pytest.mark.parametrize("compute", ["int8", "bf16"])
def bench_quantize_rows(benchmark, isa, compute, rows):
    x = normal(rows, WIDTH)
    out = kernels.quantize_rows(x, compute)
    benchmark.group = f"quantize {rows} rows to {compute}"

    def run(tier: str) -> None:
        kernels.quantize_rows(x, compute, out=out, threads=1, isa=tier)

    benchmark_traffic(benchmark, run, isa, x.nbytes + out.nbytes)


@pytest.mark.benchmark(max_time=0.2, min_rounds=3)
@pytest.mark.parametrize("rows", [64, 512])
def bench_rms_norm_quantize(benchmark, isa, rows):
    x, weight = normal(rows, WIDTH), normal(WIDTH)
    out = kernels.rms_norm_quantize(x, weight)
    benchmark.group = f"normalise and quantise {rows} rows"

    def run(tier: str) -> None:
        kernels.rms_norm_quantize(x, weight, out=out, threads=1, isa=tier)

    benchmark_traffic(benchmark, run, isa, x.nbytes + out.nbytes)


@pytest.mark.benchmark(max_time=0.2, min_rounds=3)
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("format", ["mxfp4", "int8", "bf16"])
def bench_pack_weight(benchmark, format, threads):
    q = quantize(normal(512, WIDTH), format)
    out = kernels.pack_weight(q).data
    benchmark.group = f"pack {format}"

    def run(_: str) -> None:
        kernels.pack_weight(q, out=out, threads=threads)

    nbytes = q.nbytes + out.nbytes
    benchmark_traffic(benchmark, run, "scalar", nbytes, threads, with_scalar=False)
