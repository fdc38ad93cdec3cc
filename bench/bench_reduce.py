"""Reductions of U²-Net's and Swin-B's activations along every kind of axis."""

from __future__ import annotations

import numpy as np
import pytest

from bench.arrays import normal
from bench.traffic import benchmark_traffic
from pyhades import _native

# name: (function, shape, axes)
CASES = {
    "pooling_of_planes": ("mean", (64, 160 * 160), [1]),
    "mean_of_channels": ("mean", (64, 160 * 160), [0]),
    "maximum_of_a_saliency_map": ("max", (1, 384 * 384), [0, 1]),
    "norm_of_tokens": ("l2", (9216, 128), [1]),
    "log_sum_exp_of_scores": ("log_sum_exp", (2304, 144), [1]),
}


@pytest.mark.benchmark(max_time=0.2, min_rounds=3)
@pytest.mark.parametrize("name", CASES)
def bench_reduce(benchmark, name, isa):
    function, shape, axes = CASES[name]
    x = normal(*shape)
    y = np.empty([1 if axis in axes else n for axis, n in enumerate(shape)], np.float32)
    attributes = {"function": function, "axes": axes}
    benchmark_traffic(
        benchmark,
        lambda tier: _native.call("reduce", [x], [y], attributes, threads=1, isa=tier),
        isa,
        x.nbytes,
    )


@pytest.mark.benchmark(max_time=0.2, min_rounds=3)
@pytest.mark.parametrize("dtype", ["uint8", "int64", "float64"])
def bench_sum_of_other_dtypes(benchmark, dtype):
    x, y = np.ones((2304, 144), dtype), np.empty((2304, 1), dtype)
    attributes = {"function": "sum", "axes": [1]}
    benchmark_traffic(
        benchmark,
        lambda tier: _native.call("reduce", [x], [y], attributes, threads=1, isa=tier),
        "scalar",
        x.nbytes,
    )


@pytest.mark.benchmark(max_time=0.2, min_rounds=3)
@pytest.mark.parametrize("axis", [0, 1])
def bench_arg_max(benchmark, axis):
    """Typed loops exist for the baseline only."""
    x = normal(21, 160 * 160)
    y = np.empty((1, x.shape[1]) if axis == 0 else (x.shape[0], 1), np.int64)
    benchmark_traffic(
        benchmark,
        lambda tier: _native.call(
            "arg_reduce", [x], [y], {"function": "argmax", "axis": axis}, threads=1, isa=tier
        ),
        "scalar",
        x.nbytes + y.nbytes,
    )


@pytest.mark.benchmark(max_time=0.2, min_rounds=3)
def bench_cumsum(benchmark):
    x = normal(2304, 144)
    y = np.empty_like(x)
    benchmark_traffic(
        benchmark,
        lambda tier: _native.call(
            "cumsum", [x], [y], {"axis": 1, "exclusive": 0, "reverse": 0}, threads=1, isa=tier
        ),
        "scalar",
        2 * x.nbytes,
    )
