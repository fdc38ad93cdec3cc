"""Choosing a token among the 201 088 of gpt-oss: peaked logits as of a model, and flat ones."""

from __future__ import annotations

import numpy as np
import pytest

from bench.traffic import benchmark_traffic
from pyhades import kernels
from pyhades.llm.engine.sampling import Sampler, SamplingParams

PARAMETERS = {
    "greedy": {"temperature": 0},
    "plain": {},
    "temperature": {"temperature": 0.7},
    "top_k": {"top_k": 50},
    "top_p": {"top_p": 0.95},
    "min_p": {"min_p": 0.05},
    "penalties": {"repetition_penalty": 1.1, "presence_penalty": 0.5},
    "logprobs": {"logprobs": 5},
}


@pytest.mark.benchmark(max_time=0.3, min_rounds=20)
@pytest.mark.parametrize("spread", [6, 1], ids=["peaked", "flat"])
@pytest.mark.parametrize("name", PARAMETERS)
def bench_sample(benchmark, name, spread):
    logits = np.random.default_rng(0).standard_normal(201_088).astype(np.float32) * spread
    sampler = Sampler(SamplingParams(seed=0, **PARAMETERS[name]), range(2000))
    benchmark.group = name
    benchmark(sampler.sample, logits)


@pytest.mark.benchmark(max_time=0.2, min_rounds=10)
def bench_sample_kernel(benchmark, isa):
    logits = np.random.default_rng(0).standard_normal((1, 201_088)).astype(np.float32) * 6
    benchmark_traffic(
        benchmark,
        lambda tier: kernels.sample(logits, 1.0, 0.5, threads=1, isa=tier),
        isa,
        2 * logits.nbytes,
    )
