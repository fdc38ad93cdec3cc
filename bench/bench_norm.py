"""Normalisations: the rows of Swin-B's four stages at 384 x 384, and planes of U²-Net's size."""

from __future__ import annotations

import numpy as np
import pytest

from bench.arrays import channels_last, normal
from bench.traffic import benchmark_traffic
from pyhades import _native


@pytest.mark.benchmark(max_time=0.2, min_rounds=3)
@pytest.mark.parametrize("op", ["layer_norm", "rms_norm"])
@pytest.mark.parametrize("shape", [(9216, 128), (576, 512), (144, 1024)], ids=str)
def bench_rows(benchmark, op, shape, isa):
    x, y = normal(*shape), np.empty(shape, np.float32)
    vectors = {
        "layer_norm": [normal(shape[1]), normal(shape[1]), None],
        "rms_norm": [normal(shape[1]), None],
    }
    benchmark_traffic(
        benchmark,
        lambda tier: _native.call(
            op, [x, *vectors[op]], [y], {"epsilon": 1e-5}, threads=1, isa=tier
        ),
        isa,
        2 * x.nbytes,
    )


@pytest.mark.benchmark(max_time=0.2, min_rounds=3)
@pytest.mark.parametrize("groups", [32, 64])
@pytest.mark.parametrize("is_last", [False, True])
def bench_groups(benchmark, groups, is_last, isa):
    """GroupNormalization, and InstanceNormalization as one channel per group."""
    x = normal(1, 64, 160 * 160)
    x = channels_last(x) if is_last else x
    operands, y = [x, normal(64), normal(64)], np.empty_like(x)
    attributes = {"groups": groups, "epsilon": 1e-5}
    benchmark_traffic(
        benchmark,
        lambda tier: _native.call("group_norm", operands, [y], attributes, threads=1, isa=tier),
        isa,
        2 * x.nbytes,
    )


@pytest.mark.benchmark(max_time=0.2, min_rounds=3)
@pytest.mark.parametrize("tokens", [1, 512])
def bench_heads(benchmark, tokens, isa):
    """The queries and keys of a layer of Qwen3-30B-A3B: 36 heads of 128, inside of 40."""
    qkv, weight, rows = normal(tokens, 40 * 128), normal(128), np.int32([tokens])
    q = qkv[:, : 36 * 128]
    benchmark_traffic(
        benchmark,
        lambda tier: _native.call(
            "rms_norm_heads", [rows, q, weight], [q], {"epsilon": 1e-6}, threads=1, isa=tier
        ),
        isa,
        8 * q.size,
    )
