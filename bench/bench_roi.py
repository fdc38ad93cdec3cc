"""Pooling over regions at the sizes of a mask head."""

from __future__ import annotations

import numpy as np
import pytest

from bench.traffic import benchmark_traffic
from pyhades import _native


@pytest.mark.parametrize("op", ["average", "max", "max_pool"])
def bench_roi(benchmark, isa, op):
    rng = np.random.default_rng(0)
    x = rng.random((1, 100, 100, 256), np.float32).transpose(0, 3, 1, 2)
    corners = rng.uniform(0, 70, (100, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(5, 30, (100, 2))], axis=1)
    rois, images = boxes.astype(np.float32), np.zeros(100, np.int64)
    y = np.empty((100, 7, 7, 256), np.float32).transpose(0, 3, 1, 2)
    numbered = np.concatenate([np.zeros((100, 1), np.float32), rois], axis=1)

    def run(tier):
        if op == "max_pool":
            _native.call("roi_max_pool", [x, numbered], [y], {}, isa=tier)
        else:
            attributes = {"mode": op, "sampling_ratio": 2}
            _native.call("roi_align", [x, rois, images], [y], attributes, isa=tier)

    benchmark_traffic(benchmark, run, isa, x.nbytes + y.nbytes)
