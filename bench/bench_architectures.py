"""Networks that nobody tuned for, in turn with onnxruntime, in one process.

Those of tests/architectures, and more where PYHADES_GRAPHS has a folder `networks`. The medians of
both and their ratio are in extra_info of the report that --benchmark-json writes. onnxruntime takes
the best of the CPU: where a weaker tier of ours is measured, the ratio is a lower bound.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnxruntime
import pytest

import pyhades
from conftest import REAL_GRAPHS, ROOT
from pyhades import _native
from pyhades.config import thread_count

RUNS = 5
FOLDERS = (
    ROOT / "tests" / "architectures" / "graphs",
    Path(os.environ.get("PYHADES_GRAPHS", REAL_GRAPHS)) / "networks",
)
GRAPHS = [path for folder in FOLDERS for path in sorted(folder.glob("*.onnx.xz"))]
THREADS = sorted({1, min(2, thread_count().count)})
BEST = _native.supported_tiers()[-1]
TIERS = [tier for tier in _native.supported_tiers() if tier in ("avx2", BEST)]


def medians(ours: Callable[[], Any], rival: Callable[[], Any]) -> tuple[float, float]:
    """Milliseconds of both, in turn, each after an untimed run: threads of the other may spin."""
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(RUNS):
        for run, times in zip((ours, rival), taken, strict=True):
            run()
            began = time.perf_counter()
            run()
            times.append(1e3 * (time.perf_counter() - began))
    return statistics.median(taken[0]), statistics.median(taken[1])


@pytest.mark.parametrize("isa", TIERS)
@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("path", GRAPHS, ids=lambda path: path.name.split(".")[0])
def bench_architecture(benchmark, architecture, path: Path, threads: int, isa: str) -> None:
    data, feeds_of = architecture(path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(data, options)
    feeds = feeds_of(session.get_inputs())
    shapes = {name: array.shape for name, array in feeds.items()}
    program = pyhades.compile(pyhades.load_onnx(data), shapes, threads=threads, isa=isa)

    def both() -> tuple[float, float]:
        return medians(lambda: program.run(feeds), lambda: session.run(None, feeds))

    ours, rival = benchmark.pedantic(both, rounds=1, iterations=1)
    benchmark.group = path.name.split(".")[0]
    benchmark.extra_info |= {"isa": isa, "threads": threads, "ms": ours}
    benchmark.extra_info |= {"onnxruntime_ms": rival, "ratio": rival / ours}
