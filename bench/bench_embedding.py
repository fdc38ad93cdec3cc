"""Rows of an embedding table of the width of gpt-oss, too large for the caches; rows of a step."""

from __future__ import annotations

import numpy as np
import pytest

from bench.traffic import benchmark_traffic
from bench.weights import more_than_cache_bytes
from pyhades import _native, kernels

TOKENS, WIDTH = 512, 2880


@pytest.mark.benchmark(max_time=0.2, min_rounds=3)
@pytest.mark.parametrize("format", ["bf16", "int8"])
def bench_embed(benchmark, isa, format):
    row_bytes = WIDTH * (2 if format == "bf16" else 1)
    vocabulary = -(-more_than_cache_bytes() // row_bytes)
    tokens = np.random.default_rng(0).integers(0, vocabulary, TOKENS).astype(np.int32)
    table = np.ones((vocabulary, WIDTH), np.uint16 if format == "bf16" else np.int8)
    scales = np.ones((vocabulary, WIDTH // 32), np.float16) if format == "int8" else None
    out = np.empty((TOKENS, WIDTH), np.float32)
    benchmark.group = f"embed {format}"

    def run(tier: str) -> None:
        kernels.embed(tokens, table, scales, out=out, threads=1, isa=tier)

    benchmark_traffic(benchmark, run, isa, TOKENS * row_bytes + out.nbytes)


@pytest.mark.benchmark(max_time=0.2, min_rounds=3)
def bench_gather_rows(benchmark):
    """The last rows of 64 sequences, for whose tokens alone there are logits."""
    x = np.ones((TOKENS, WIDTH), np.float32)
    wanted = np.arange(7, TOKENS, 8, dtype=np.int32)
    out = np.empty((len(wanted), WIDTH), np.float32)
    inputs = [np.array([len(wanted)], np.int32), x, wanted]

    def run(tier: str) -> None:
        _native.call("gather_rows", inputs, [out], {}, threads=1, isa=tier)

    benchmark_traffic(benchmark, run, "scalar", 2 * out.nbytes, with_scalar=False)
