"""Rotary embedding of a step of gpt-oss, and what it stores into the cache."""

from __future__ import annotations

import numpy as np
import pytest

from bench.traffic import benchmark_traffic
from pyhades import kernels

HEADS, KV_HEADS, HEAD_DIM = 64, 8, 64


@pytest.mark.benchmark(max_time=0.2, min_rounds=3)
@pytest.mark.parametrize("tokens", [64, 512])
def bench_rope_table(benchmark, tokens):
    positions = np.arange(tokens, dtype=np.int32) + 8192
    frequencies = np.geomspace(1, 1e-5, HEAD_DIM // 2).astype(np.float32)
    out = np.empty((tokens, HEAD_DIM), np.float32)

    def run(tier: str) -> None:
        kernels.rope_table(positions, frequencies, out=out, threads=1, isa=tier)

    benchmark_traffic(benchmark, run, "scalar", out.nbytes, with_scalar=False)


@pytest.mark.benchmark(max_time=0.2, min_rounds=3)
@pytest.mark.parametrize("tokens", [64, 512])
@pytest.mark.parametrize("kv_format", ["bf16", "int8"])
def bench_rope_store(benchmark, isa, kv_format, tokens):
    width = (HEADS + 2 * KV_HEADS) * HEAD_DIM
    qkv = np.random.default_rng(0).standard_normal((tokens, width)).astype(np.float32)
    table = kernels.rope_table(
        np.arange(tokens, dtype=np.int32), np.ones(HEAD_DIM // 2, np.float32)
    )
    block_bytes = kernels.cache_block_bytes(KV_HEADS, HEAD_DIM, kv_format)
    pool = np.zeros(-(-tokens // 16) * block_bytes, np.uint8)
    slots, out = np.arange(tokens, dtype=np.int32), np.empty((tokens, HEADS * HEAD_DIM), np.float32)
    benchmark.group = f"rotate and store {tokens} tokens, {kv_format}"

    def run(tier: str) -> None:
        kernels.rope_store(
            qkv, table, pool, slots, heads=HEADS, kv_heads=KV_HEADS, kv_format=kv_format,
            out=out, threads=1, isa=tier,
        )  # fmt: skip

    stored = tokens * block_bytes // 16
    benchmark_traffic(benchmark, run, isa, qkv.nbytes + out.nbytes + stored)
