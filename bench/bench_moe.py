"""The experts of a layer of gpt-oss-20b in MXFP4, and its router.

One token reads the weights of four experts: GB/s. 64 tokens read nearly all 32, and several tokens
share each.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from bench.compute import benchmark_compute
from bench.traffic import benchmark_traffic
from bench.weights import random_weight
from pyhades import kernels
from pyhades.quant import PackedWeight

EXPERTS, CHOSEN, WIDTH = 32, 4, 2880
THREADS = [1, 2]


@cache
def experts() -> tuple[PackedWeight, PackedWeight]:
    gate_up = random_weight("mxfp4", EXPERTS, 2 * WIDTH, WIDTH, row_order="gate_up")
    return gate_up, random_weight("mxfp4", EXPERTS, WIDTH, WIDTH)


def layer(tokens: int, threads: int, activation: str = "clamped_swiglu"):
    """``run(ids, isa)`` for so many tokens, of random activations; SwiGLU without biases."""
    gate_up, down = experts()
    a = np.random.default_rng(0).standard_normal((tokens, WIDTH)).astype(np.float32)
    biases = np.zeros((EXPERTS, 2 * WIDTH), np.float32), np.zeros((EXPERTS, WIDTH), np.float32)
    if activation == "swiglu":
        biases = None, None
    weights = np.full((tokens, CHOSEN), 1 / CHOSEN, np.float32)
    out = np.empty((tokens, WIDTH), np.float32)
    return lambda ids, isa: kernels.moe(
        a, ids, weights, gate_up, biases[0], down, biases[1], activation=activation, out=out,
        threads=threads, isa=isa,
    )  # fmt: skip


@pytest.mark.benchmark(max_time=0.1, min_rounds=3)
@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("activation", ["clamped_swiglu", "swiglu"])
def bench_one_token(benchmark, tier, activation, threads):
    """Tokens take turns over all experts, whose weights do not fit the caches."""
    run = layer(1, threads, activation)
    groups = np.arange(EXPERTS, dtype=np.int32).reshape(-1, 1, CHOSEN)
    turns = groups[:1] if tier == "scalar" else groups
    benchmark.group = f"one token, {activation}"

    def pass_over_experts(isa: str) -> None:
        for ids in turns:
            run(ids, isa)

    nbytes = len(turns) * CHOSEN * sum(w.nbytes for w in experts()) // EXPERTS
    benchmark_traffic(benchmark, pass_over_experts, tier, nbytes, threads, with_scalar=False)


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("activation", ["clamped_swiglu", "swiglu"])
def bench_64_tokens(benchmark, tier, activation, threads):
    rng = np.random.default_rng(1)
    ids = np.stack([rng.permutation(EXPERTS)[:CHOSEN] for _ in range(64)]).astype(np.int32)
    benchmark.group = f"64 tokens, {activation}"

    def run_and_flops(tokens: int, isa: str, count: int):
        run = layer(tokens, count, activation)
        return (lambda: run(ids[:tokens], isa)), 6.0 * tokens * CHOSEN * WIDTH * WIDTH

    run, flops = run_and_flops(1 if tier == "scalar" else 64, tier, threads)
    benchmark_compute(benchmark, run, flops, tier, threads, run_and_flops(1, "scalar", 1))


@pytest.mark.benchmark(max_time=0.1, min_rounds=3)
@pytest.mark.parametrize("tokens", [1, 512])
def bench_top_k(benchmark, tokens):
    logits = np.random.default_rng(0).standard_normal((tokens, EXPERTS)).astype(np.float32)
    benchmark.extra_info["tokens"] = tokens
    benchmark(lambda: kernels.top_k(logits, CHOSEN, threads=1))
