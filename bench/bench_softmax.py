"""Softmax over the attention scores of Swin-B at 384 x 384 (windows of 144 tokens)."""

from __future__ import annotations

import numpy as np
import pytest

from bench.traffic import benchmark_traffic
from pyhades import _native

SHAPES = {
    "swin_stage_2": (16 * 8 * 144, 144),
    "swin_stage_3": (4 * 16 * 144, 144),
    "global_attention": (576, 576),
    "classes": (64, 1000),
}


@pytest.mark.benchmark(max_time=0.2, min_rounds=3)
@pytest.mark.parametrize("name", SHAPES)
def bench_softmax(benchmark, name, isa):
    x = np.random.default_rng(0).standard_normal(SHAPES[name]).astype(np.float32)
    y = np.empty_like(x)
    benchmark_traffic(
        benchmark,
        lambda tier: _native.call("softmax", [x], [y], {"log": 0}, threads=1, isa=tier),
        isa,
        2 * x.nbytes,
    )
