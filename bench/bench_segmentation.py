"""Whole segmentation networks in turn with onnxruntime, each engine in a process of its own.

The same measurement as `pyhades bench segmentation`. The real graphs come from PYHADES_GRAPHS; the
networks that the package generates stand in for them where that folder is absent.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from pyhades import _native, networks
from pyhades.bench.segmentation import comparisons, measure
from pyhades.config import thread_count

RUNS = 7


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("networks")


THREADS = sorted({1, min(2, thread_count().count)})


@pytest.mark.parametrize("name", ["u2netp", "u2net", "inspyrenet"])
def bench_real_graph(benchmark, real_graph, name: str) -> None:
    compare(benchmark, real_graph(name), THREADS)


@pytest.mark.parametrize("small", [True, False], ids=["u2netp", "u2net"])
def bench_generated_u2net(benchmark, small: bool, folder: Path) -> None:
    path = folder / f"generated_{small}.onnx"
    networks.write_u2net(path, size=320, small=small)
    compare(benchmark, path, [1])


@pytest.mark.parametrize("name", ["u2netp", "u2net", "inspyrenet"])
def bench_avx2_against_the_best_tier(benchmark, real_graph, name: str) -> None:
    """How much of the speed is left on a CPU without AVX-512, one thread."""
    tiers = _native.supported_tiers()
    if "avx2" not in tiers[:-1]:
        pytest.skip("needs a CPU with AVX2 and a better tier")
    path = real_graph(name)

    def both() -> list[float]:
        reports = [measure([path], [1], runs=3, isa=tier) for tier in ("avx2", tiers[-1])]
        return [report["results"][0]["median_ms"] for report in reports]

    avx2, best = benchmark.pedantic(both, rounds=1, iterations=1)
    benchmark.extra_info |= {"avx2_ms": avx2, f"{tiers[-1]}_ms": best, "ratio": best / avx2}


def compare(benchmark, path: Path, threads: list[int]) -> None:
    """Record both engines, run by run in turn, and the ratios of their medians."""
    report = benchmark.pedantic(
        measure, ([path], threads, ["onnxruntime"]), {"runs": RUNS}, rounds=1, iterations=1
    )
    rows = report["results"]
    benchmark.group = path.stem
    benchmark.extra_info |= report | {"comparisons": comparisons(rows)}
