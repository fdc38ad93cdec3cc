"""The best of many scores, as detectors choose them."""

from __future__ import annotations

import numpy as np
import pytest

from bench.traffic import benchmark_traffic
from pyhades import _native

# name: (lines, elements, k)
CASES = {
    "queries_of_a_detector": (1, 900 * 91, 300),
    "anchors_of_a_level": (1, 3 * 200 * 200, 1000),
    "classes_of_a_row": (1000, 1000, 5),
    "whole_sort": (1, 10000, 10000),
}


@pytest.mark.benchmark(max_time=0.2, min_rounds=3)
@pytest.mark.parametrize("name", CASES)
def bench_rank(benchmark, name):
    """Exists for the baseline only."""
    lines, n, k = CASES[name]
    x = np.random.default_rng(0).standard_normal((lines, n)).astype(np.float32)
    outputs = [np.empty((lines, k), dtype) for dtype in (np.float32, np.int64)]
    benchmark_traffic(
        benchmark,
        lambda tier: _native.call(
            "rank", [x], outputs, {"axis": 1, "largest": 1}, threads=1, isa=tier
        ),
        "scalar",
        x.nbytes,
    )
