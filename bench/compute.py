"""Benchmarks of kernels that compute: GFLOP/s, its share of the peak, the gain over scalar."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

from bench.roof import float_peak

ROUNDS = 5
_scalar_rates: dict[str, float] = {}


def benchmark_compute(
    benchmark: Any,
    run: Callable[[], object],
    flops: float,
    isa: str,
    threads: int = 1,
    scalar: tuple[Callable[[], object], float] | None = None,
    peak: Callable[[str, int], float] = float_peak,
) -> None:
    """Time ``run``, which needs ``flops`` floating-point operations.

    ``scalar`` is the same operator on the scalar tier and on one thread, with its operations: a
    smaller problem will do, since rates are compared. It is timed once per test function and shape.
    ``peak`` is what the share is taken of, by tier and threads.
    """
    benchmark.pedantic(run, rounds=ROUNDS, warmup_rounds=1)
    if benchmark.disabled:
        return
    gflops = flops / benchmark.stats.stats.median / 1e9
    benchmark.extra_info.update(
        isa=isa,
        threads=threads,
        gflops=round(gflops, 2),
        # Above 1 where Winograd's algorithm saves products that are counted here, and where
        # products are of integers and the peak is that of float32.
        share_of_peak=round(gflops / peak(isa, threads), 3),
    )
    if scalar is not None:
        rate = _scalar_rate(benchmark.group or benchmark.name, *scalar)
        benchmark.extra_info["speedup_over_scalar"] = round(gflops / rate, 2)


def _scalar_rate(key: str, run: Callable[[], object], flops: float) -> float:
    """GFLOP/s of the scalar tier, measured when first asked for."""
    if key not in _scalar_rates:
        run()
        times = []
        for _ in range(3):
            start = time.perf_counter()
            run()
            times.append(time.perf_counter() - start)
        _scalar_rates[key] = flops / statistics.median(times) / 1e9
    return _scalar_rates[key]
