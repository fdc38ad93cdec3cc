"""Suppression of the boxes of a detector: 8400 boxes of 80 classes."""

from __future__ import annotations

import numpy as np
import pytest

from pyhades import kernels


@pytest.mark.benchmark(max_time=0.3, min_rounds=5)
@pytest.mark.parametrize("score", [0.25, 0.9, 0.999])
def bench_suppress(benchmark, isa, score):
    random = np.random.default_rng(0)
    centres, sizes = random.random((1, 8400, 2)) * 600, random.random((1, 8400, 2)) * 60 + 10
    boxes = np.concatenate([centres, sizes], -1).astype(np.float32)
    scores = (random.random((1, 80, 8400)) ** 8).astype(np.float32)
    benchmark.group = f"score {score}"
    benchmark(kernels.suppress, boxes, scores, 300, 0.45, score, centred=True, threads=1, isa=isa)
