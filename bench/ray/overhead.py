"""What Ray costs on one machine: two nodes of one CPU beside a plain run of two workers, in turn.

``python -m bench.ray.overhead --model u2netp.onnx`` makes pictures of a megapixel, cuts them out in
both ways, and prints a table of medians. Every part runs in a process of its own, the plain run
without a cluster beside it. ``--lose`` takes a node away in the middle, and counts the rows.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.ray.accounts import spent
from pyhades.bench.pictures.scenes import make_pictures
from pyhades.config import show_config

ROWS = 16
"""Of a block: what an actor takes at a time."""
EDGE = 0.1
"""Of all pictures: so many at the beginning and at the end do not count as steady."""
PARTS = ("plain", "ray", "lose")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="by default the one that ships")
    parser.add_argument("--pictures", type=int, default=240)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="of pictures; made there where it is missing")
    parser.add_argument("--lose", action="store_true", help="a node, in the middle of a run")
    parser.add_argument("--part", choices=PARTS, help="run one alone, in this process")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ray") as scratch:
        folder = given.folder or Path(scratch, "pictures")
        if not folder.exists():
            make_pictures(folder, given.pictures, (1000, 1000))
        if given.part:
            measure = {"plain": plain, "ray": on_nodes, "lose": losing}[given.part]
            print(json.dumps(measure(folder, given.model, Path(scratch, "results"))))
            return
        parts = ["lose"] if given.lose else ["plain", "ray"]
        turns = [
            {part: in_process(part, folder, given.model) for part in parts}
            for _ in range(given.turns)
        ]
    print(f"{show_config().cpu}, {show_config().tier}, {os.cpu_count()} CPUs")
    report_loss(turns) if given.lose else report(turns)


def in_process(part: str, folder: Path, model: str | None) -> dict[str, Any]:
    """What a process of its own measures; told as it goes."""
    command = [sys.executable, "-m", "bench.ray.overhead", "--part", part, "--folder", str(folder)]
    command += [] if model is None else ["--model", model]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(part, found, file=sys.stderr, flush=True)
    return found


def plain(folder: Path, model: str | None, results: Path) -> dict[str, float]:
    """A run of two workers of one thread, which writes PNG files."""
    import pyhades

    began = time.time()
    done = []
    with pyhades.Remover(model, threads=1) as remover:
        run = pyhades.BulkRun(folder, results, remover=remover, workers=2, threads_per_worker=1)
        for outcome in run.outcomes():
            assert outcome.status == "done", outcome
            done.append((time.time(), 1, spent()))
    return summary(began, done)


def on_nodes(folder: Path, model: str | None, results: Path) -> dict[str, float]:
    """Actors on two nodes of one CPU, which write PNG files."""
    began = time.time()
    with Cluster() as cluster:
        started = time.time() - began
        began = time.time()
        done = []
        cut = cluster.cut(folder, model, str(results))
        for batch in cut.iter_batches(batch_size=None, batch_format="pyarrow"):
            assert not any(batch["error"].to_pylist())
            done.append((time.time(), batch.num_rows, spent()))
    return summary(began, done) | {"cluster": started}


def losing(folder: Path, model: str | None, results: Path) -> dict[str, float]:
    """The same with a node that dies once a third of the pictures are done."""
    expected = sorted(str(path) for path in folder.rglob("*.jpg"))
    rows: Counter[str] = Counter()
    began = time.time()
    with Cluster() as cluster:
        for row in cluster.cut(folder, model, str(results)).iter_rows():
            assert not row["error"], row["error"]
            rows[row["path"]] += 1
            if rows.total() == len(expected) // 3:
                cluster.lose_a_node()
    once = sum(count == 1 for count in rows.values())
    files = sum(1 for _ in results.rglob("*.png"))
    return {
        "pictures": len(expected), "rows": rows.total(), "once": once, "files": files,
        "seconds": time.time() - began,
    }  # fmt: skip


class Cluster:
    """Two nodes of one CPU each."""

    def __enter__(self) -> Cluster:
        os.environ.update(RAY_AUTH_MODE="disabled", RAY_USAGE_STATS_ENABLED="0")
        import ray
        from ray import cluster_utils

        node = {"num_cpus": 1, "object_store_memory": 400 << 20}
        self._cluster = cluster_utils.Cluster(
            initialize_head=True, head_node_args={**node, "include_dashboard": False}
        )
        self._second = self._cluster.add_node(**node)
        ray.init(address=self._cluster.address, log_to_driver=False, logging_level="error")
        self._ray = ray
        ray.data.DataContext.get_current().enable_progress_bars = False
        return self

    def cut(self, folder: Path, model: str | None, results: str) -> Any:
        """A dataset of what becomes of pictures, an actor on each node."""
        import pyhades.ray

        pool = self._ray.data.ActorPoolStrategy(size=2)
        found = pyhades.ray.list_pictures(folder, batch_size=ROWS)
        return pyhades.ray.remove_backgrounds(
            found, model, batch_size=ROWS, compute=pool, destination=results
        )

    def lose_a_node(self) -> None:
        """The one without the driver."""
        self._cluster.remove_node(self._second, allow_graceful=False)

    def __exit__(self, *exception: object) -> None:
        self._ray.shutdown()
        self._cluster.shutdown()


def summary(began: float, done: Sequence[tuple[float, int, Counter[str]]]) -> dict[str, Any]:
    """Pictures a second without both ends, and how long the first results took.

    ``done``: moments, in their order, with how many pictures were done then.
    """
    total, so_far, steady = sum(count for _, count, _ in done), 0, []
    for when, count, cpu in done:
        so_far += count
        if EDGE * total <= so_far <= (1 - EDGE) * total:
            steady.append((when, so_far, cpu))
    (first, before, cpu_before), (last, after, cpu_after) = steady[0], steady[-1]
    cpu_after.subtract(cpu_before)
    return {
        "rate": (after - before) / (last - first),
        "whole": total / (done[-1][0] - began),
        "first": done[0][0] - began,
        "ms": {
            role: round(1000 * value / (after - before), 2) for role, value in cpu_after.items()
        },
        "idle": 2 - cpu_after.total() / (last - first),
    }


def report(turns: Sequence[dict[str, dict[str, float]]]) -> None:
    """Medians, least and most, and what Ray costs in each turn."""
    print("\n| | pictures/s, steady | first result, s | pictures/s, whole run |\n|---|---|---|---|")
    for part, title in (("plain", "two workers"), ("ray", "two nodes of Ray")):
        cells = [
            _spread([turn[part][name] for turn in turns]) for name in ("rate", "first", "whole")
        ]
        print(f"| {title} | {' | '.join(cells)} |")
    costs = [100 * (1 - turn["ray"]["rate"] / turn["plain"]["rate"]) for turn in turns]
    print(f"\noverhead of Ray, steady: {_spread(costs)} %, of {len(turns)} turns")
    print(f"start of the cluster: {_spread([turn['ray']['cluster'] for turn in turns])} s")


def report_loss(turns: Sequence[dict[str, dict[str, float]]]) -> None:
    """How many rows came back, and how many of them once."""
    print("\n| pictures | rows | of them once | files | seconds |\n|---|---|---|---|---|")
    for turn in turns:
        found = turn["lose"]
        print("| {pictures} | {rows} | {once} | {files} | {seconds:.0f} |".format(**found))


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


if __name__ == "__main__":
    main()
