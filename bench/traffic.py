"""Benchmarks of kernels that move memory: GB/s, its share of the roof, the gain over scalar."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from bench.roof import roof


def benchmark_traffic(
    benchmark: Any,
    run: Callable[[str], object],
    isa: str,
    nbytes: int,
    threads: int = 1,
    with_scalar: bool = True,
) -> None:
    """Time ``run(isa)``, which has to read and write ``nbytes`` bytes between them.

    The roof is read bandwidth of memory; operands that stay in a cache may exceed it. Without
    ``with_scalar`` there is no comparison with the scalar tier, which may take too long.
    """
    if not benchmark.disabled:
        run(isa)
    benchmark(run, isa)
    if benchmark.disabled:
        return
    seconds = benchmark.stats.stats.median
    gbs = nbytes / seconds / 1e9
    benchmark.extra_info.update(
        isa=isa,
        threads=threads,
        gbs=round(gbs, 2),
        share_of_bandwidth=round(gbs / roof(isa, threads).gbs, 3),
    )
    if with_scalar:
        speedup = _median_seconds(run, "scalar") / seconds
        benchmark.extra_info["speedup_over_scalar"] = round(speedup, 2)


def _median_seconds(run: Callable[[str], object], isa: str, repeats: int = 5) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run(isa)
        times.append(time.perf_counter() - start)
    return sorted(times)[repeats // 2]
