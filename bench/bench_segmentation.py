"""Whole segmentation networks in turn with onnxruntime, each engine in a process of its own.

The same measurement as `pyhades bench segmentation`. The real graphs come from PYHADES_GRAPHS; the
networks that the package generates stand in for them where that folder is absent.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from pyhades import networks
from pyhades.bench.segmentation import measure
from pyhades.config import thread_count
from tests.support.graphs import real_graph

RUNS = 7


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("networks")


@pytest.mark.parametrize("threads", sorted({1, min(2, thread_count().count)}))
@pytest.mark.parametrize("name", ["u2netp", "u2net", "inspyrenet"])
def bench_real_graph(benchmark, name: str, threads: int, folder: Path) -> None:
    compare(benchmark, real_graph(name, folder), threads)


@pytest.mark.parametrize("small", [True, False], ids=["u2netp", "u2net"])
def bench_generated_u2net(benchmark, small: bool, folder: Path) -> None:
    path = folder / f"generated_{small}.onnx"
    networks.write_u2net(path, size=320, small=small)
    compare(benchmark, path, threads=1)


def compare(benchmark, path: Path, threads: int) -> None:
    """Record both engines, run by run in turn, and the ratio of their medians."""
    report = benchmark.pedantic(
        measure, ([path], [threads], "onnxruntime"), {"runs": RUNS}, rounds=1, iterations=1
    )
    ours, rival = report["results"]
    benchmark.group = f"{path.stem}, {threads} threads"
    benchmark.extra_info |= {
        "pyhades": ours,
        "onnxruntime": rival,
        "speed_ratio": round(rival["median_ms"] / ours["median_ms"], 3),
        "memory_ratio": round(ours["peak_rss_mb"] / rival["peak_rss_mb"], 3),
    }
