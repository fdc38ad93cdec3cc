"""Attention over the cache at shapes of gpt-oss: decoding, tokens at depth, and a prompt.

Decoding reads every key and value of a sequence once: GB/s of the cache. Sequences take turns, so
that their keys and values come from memory.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest

from bench.compute import benchmark_compute
from bench.traffic import benchmark_traffic
from bench.weights import more_than_cache_bytes
from pyhades import _native, kernels

HEADS, KV_HEADS, HEAD_DIM, WINDOW = 64, 8, 64, 128


@lru_cache(maxsize=1)
def pool_of(blocks: int, kv_format: str) -> np.ndarray:
    """A cache whose blocks all hold the same 16 random keys and values."""
    block = np.zeros(kernels.cache_block_bytes(KV_HEADS, HEAD_DIM, kv_format), np.uint8)
    qkv = np.random.default_rng(0).standard_normal((16, 3 * KV_HEADS * HEAD_DIM))
    table = kernels.rope_table(np.arange(16, dtype=np.int32), np.ones(HEAD_DIM // 2, np.float32))
    kernels.rope_store(
        qkv.astype(np.float32), table, block, np.arange(16, dtype=np.int32),
        heads=KV_HEADS, kv_heads=KV_HEADS, kv_format=kv_format,
    )  # fmt: skip
    return np.tile(block, blocks)


def attention(pool, block_table, new: int, length: int, kv_format: str, window: int = 0):
    """A step of ``new`` tokens of one sequence, as the engine runs it."""
    q = np.random.default_rng(1).standard_normal((new, HEADS * HEAD_DIM)).astype(np.float32)
    out, sinks = np.empty_like(q), np.zeros(HEADS, np.float32)
    counts, first = np.array([new, 1, 0, 0], np.int32), np.array([0, new], np.int32)
    inputs = [counts, q, pool, block_table, first, np.array([length], np.int32), sinks]
    attributes = {
        "kv_heads": KV_HEADS, "head_dim": HEAD_DIM, "kv_format": kv_format,
        "scale": HEAD_DIM**-0.5, "window": window,
    }  # fmt: skip
    return lambda isa, threads: _native.call(
        "paged_attention", inputs, [out], attributes, (), threads=threads, isa=isa
    )


@pytest.mark.benchmark(max_time=0.1, min_rounds=3)
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("depth", [2048, 8192])
@pytest.mark.parametrize("kv_format", ["bf16", "int8"])
def bench_decode(benchmark, isa, kv_format, depth, threads):
    sequence_bytes = depth // 16 * kernels.cache_block_bytes(KV_HEADS, HEAD_DIM, kv_format)
    sequences = max(2, -(-more_than_cache_bytes() // sequence_bytes))
    blocks = sequences * depth // 16
    tables = np.random.default_rng(2).permutation(blocks).astype(np.int32)
    pool = pool_of(blocks, kv_format)
    rows = tables.reshape(sequences, 1, -1)[: 1 if isa == "scalar" else sequences]
    steps = [attention(pool, row, 1, depth, kv_format) for row in rows]
    benchmark.group = f"decode at {depth}, {kv_format}"

    def run(tier: str) -> None:
        for step in steps:
            step(tier, threads)

    nbytes = len(steps) * sequence_bytes
    benchmark_traffic(benchmark, run, isa, nbytes, threads, with_scalar=False)


@pytest.mark.benchmark(max_time=0.1, min_rounds=3)
def bench_decode_in_a_window(benchmark, isa):
    """Layers with a sliding window read its tokens only, at any depth."""
    pool = pool_of(512, "bf16")
    step = attention(pool, np.arange(512, dtype=np.int32)[None], 1, 8192, "bf16", WINDOW)
    nbytes = WINDOW // 16 * kernels.cache_block_bytes(KV_HEADS, HEAD_DIM)
    benchmark_traffic(benchmark, lambda tier: step(tier, 1), isa, nbytes)


@pytest.mark.parametrize("window", [0, WINDOW])
@pytest.mark.parametrize("new", [2, 4, 16, 128])
@pytest.mark.parametrize("kv_format", ["bf16", "int8"])
def bench_tokens_at_depth(benchmark, isa, kv_format, new, window):
    """Drafted tokens, and chunks of a prompt, that visit the cache of 4096 tokens together."""
    depth = 256 if isa == "scalar" else 4096
    length = depth + new
    table = np.random.default_rng(2).permutation(-(-length // 16)).astype(np.int32)
    pool = pool_of(table.size, kv_format)
    benchmark.group = f"{new} tokens, {kv_format}, window {window}"
    seen = np.arange(depth, length) + 1
    pairs = int(np.minimum(seen, window or length).sum())
    step = attention(pool, table[None], new, length, kv_format, window)
    benchmark_compute(benchmark, lambda: step(isa, 1), 4.0 * HEADS * HEAD_DIM * pairs, isa)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("kv_format", ["bf16", "int8"])
def bench_prompt(benchmark, isa, kv_format, threads):
    """The first 512 tokens of a prompt; the scalar tier reads 32 behind 480."""
    pool, table = pool_of(32, kv_format), np.arange(32, dtype=np.int32)[None]
    benchmark.group = f"prompt of 512, {kv_format}"

    def run_and_flops(new: int, tier: str, count: int):
        step = attention(pool, table, new, 512, kv_format)
        pairs = new * (512 - new) + new * (new + 1) / 2
        return (lambda: step(tier, count)), 4.0 * HEADS * HEAD_DIM * pairs

    run, flops = run_and_flops(32 if isa == "scalar" else 512, isa, threads)
    scalar = run_and_flops(8, "scalar", 1)
    benchmark_compute(benchmark, run, flops, isa, threads, scalar)
