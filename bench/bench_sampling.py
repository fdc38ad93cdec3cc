"""Choosing tokens among the 201 088 of gpt-oss: peaked logits as of a model, and flat ones."""

from __future__ import annotations

import numpy as np
import pytest

from bench.traffic import benchmark_traffic
from pyhades import kernels
from pyhades.llm.engine.batch_sampler import BatchSampler
from pyhades.llm.engine.sampling import Sampler, SamplingParams

VOCABULARY = 201_088
PARAMETERS = {
    "greedy": {"temperature": 0},
    "plain": {},
    "temperature": {"temperature": 0.7},
    "top_k": {"top_k": 50},
    "top_p": {"top_p": 0.95},
    "min_p": {"min_p": 0.05},
    "penalties": {"repetition_penalty": 1.1, "presence_penalty": 0.5},
    "logprobs": {"logprobs": 5},
    "mask": {},
}


class Half:
    """Allows every second token."""

    finished = False

    def fill(self, words):
        words[:] = 0x55555555
        return True

    def accept(self, token):
        pass


def logits_of(rows: int, spread: float) -> np.ndarray:
    logits = np.random.default_rng(0).standard_normal((rows, VOCABULARY)).astype(np.float32)
    return logits * np.float32(spread)


@pytest.mark.benchmark(max_time=0.3, min_rounds=20)
@pytest.mark.parametrize("answers", [1, 8, 32])
@pytest.mark.parametrize("spread", [6, 1], ids=["peaked", "flat"])
@pytest.mark.parametrize("name", PARAMETERS)
def bench_step(benchmark, name, spread, answers):
    """Everything that a step of the engine does to sample, on one thread."""
    logits = logits_of(answers, spread)
    params = SamplingParams(seed=0, **PARAMETERS[name])
    factory = Half if name == "mask" else None
    samplers = [Sampler(params, range(2000), k, factory) for k in range(answers)]
    batch = BatchSampler(VOCABULARY, threads=1)
    benchmark.group = f"{name}, {answers} answers"
    benchmark(batch.sample, logits, range(answers), samplers)


@pytest.mark.benchmark(max_time=0.2, min_rounds=10)
def bench_sample_kernel(benchmark, isa):
    logits = logits_of(1, 6)
    benchmark_traffic(
        benchmark,
        lambda tier: kernels.sample(logits, 1.0, 0.5, threads=1, isa=tier),
        isa,
        logits.nbytes,
    )
