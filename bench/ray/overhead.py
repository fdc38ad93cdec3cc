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

from bench.ray.nodes import Cluster
from bench.ray.watch import Watch
from pyhades.bench.pictures.scenes import make_pictures
from pyhades.config import show_config

PARTS = ("plain", "ray", "lose")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="by default the one that ships")
    parser.add_argument("--pictures", type=int, default=240)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="of JPEG files; made where there are none")
    parser.add_argument("--lose", action="store_true", help="a node, in the middle of a run")
    parser.add_argument("--part", choices=PARTS, help="run one alone, in this process")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ray") as scratch:
        folder = (given.folder or Path(scratch, "pictures")).absolute()
        if not count_of(folder):
            print(f"making {given.pictures} pictures in {folder}", file=sys.stderr, flush=True)
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


def plain(folder: Path, model: str | None, results: Path) -> dict[str, Any]:
    """A run of two workers of one thread, which writes PNG files."""
    import pyhades

    watch = Watch(results)
    with pyhades.Remover(model, threads=1) as remover:
        run = pyhades.BulkRun(folder, results, remover=remover, workers=2, threads_per_worker=1)
        for outcome in run.outcomes():
            assert outcome.status == "done", outcome
            watch.done(1)
    return watch.summary()


def on_nodes(folder: Path, model: str | None, results: Path) -> dict[str, Any]:
    """Actors on two nodes of one CPU, which write PNG files."""
    began = time.time()
    with Cluster() as cluster:
        started = time.time() - began
        watch = Watch(results)
        cut = cluster.cut(folder, model, str(results))
        for batch in cut.iter_batches(batch_size=None, batch_format="pyarrow"):
            assert not any(batch["error"].to_pylist())
            watch.done(batch.num_rows)
    return watch.summary() | {"cluster": started}


def count_of(folder: Path) -> int:
    return sum(1 for _ in folder.rglob("*.jpg"))


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


def report(turns: Sequence[dict[str, dict[str, Any]]]) -> None:
    """Medians, least and most, and what Ray costs in each turn."""
    print("\n| | pictures/s, steady | first result, s | pictures/s, whole run |\n|---|---|---|---|")
    for part, title in (("plain", "two workers"), ("ray", "two nodes of Ray")):
        cells = [
            _spread([turn[part][name] for turn in turns]) for name in ("rate", "first", "whole")
        ]
        print(f"| {title} | {' | '.join(cells)} |")
    costs = [100 * (1 - turn["ray"]["rate"] / turn["plain"]["rate"]) for turn in turns]
    print("\n| CPU, ms a picture | all | |\n|---|---|---|")
    for part, title in (("plain", "two workers"), ("ray", "two nodes of Ray")):
        print(f"| {title} | {' | '.join(_cpu([turn[part]['ms'] for turn in turns]))} |")
    print(f"\noverhead of Ray, steady: {_spread(costs)} %, of {len(turns)} turns")
    print(f"start of the cluster: {_spread([turn['ray']['cluster'] for turn in turns])} s")


def _cpu(turns: Sequence[dict[str, float]]) -> tuple[str, str]:
    """Of all processes, and of each kind: medians."""
    roles = sorted({role for turn in turns for role in turn})
    by_role = {role: statistics.median(turn.get(role, 0) for turn in turns) for role in roles}
    shown = sorted(by_role.items(), key=lambda pair: -pair[1])
    parts = ", ".join(f"{role} {value:.2f}" for role, value in shown)
    return _spread([sum(turn.values()) for turn in turns]), parts


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
