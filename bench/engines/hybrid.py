"""What several engines do together, beside what each does alone, and what a broken one costs.

``python -m bench.engines.hybrid --model u2net.onnx`` measures on two cores: onnxruntime's CPU
provider with one thread plays the fast engine and takes ``--batch`` pictures at once, our engine
has one thread. Alone, each is held to one core, the other one is idle; ``beside`` is both of them
at the same time without a common queue, each on its core: what the hardware lets them have
together (``--beside``). All of it in turn, round after round; medians count. With ``--open-batch``,
the model is a copy that leaves open how many pictures it takes.

``--device cuda`` measures a GPU in the part of the fast engine, with all cores for ours.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import pyhades
from bench.engines.machine import machine_line
from bench.engines.unruly import FAULTS, Unruly
from pyhades.bench.pictures.markdown import table
from pyhades.engines import Engine, Hybrid, OnnxRuntime, Pyhades
from pyhades.errors import ConfigurationError
from pyhades.segmentation.bulk import Rendering, SessionPool
from pyhades.segmentation.image.sources import read_path
from pyhades.segmentation.plausibility import SAMPLES

ENGINE_TIMEOUT = 3.0
"""Seconds that a picture may take where an engine hangs."""


@dataclass
class Span:
    """Of an engine, between the ends of two of its runs."""

    runs: int = 0
    first: tuple[float, int] = (0.0, 0)
    last: tuple[float, int] = (0.0, 0)

    def note(self, runs: int, pictures: int) -> None:
        """What it has done by now; nothing happens where no run has ended."""
        if runs == self.runs:
            return
        self.last = time.perf_counter(), pictures
        if not self.runs:
            self.first = self.last
        self.runs = runs

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.last[0] - self.first[0]

    @property
    def rate(self) -> float:
        """Pictures a second."""
        return (self.last[1] - self.first[1]) / self.seconds


class Bench:
    """A model, pictures, and the cores that engines may have.

    Parameters
    ----------
    model
        Path or name; None for the one that ships.
    seconds
        Of a measurement, beside the beginning that does not count.
    count
        Pictures of a run that is measured as a whole.
    cores
        CPUs of the engine that is alone.
    """

    def __init__(self, model: str | None, seconds: float, count: int, cores: Sequence[int]) -> None:
        self._model = model
        self._seconds = seconds
        self._count = count
        self._cores = list(cores)
        self._pictures = [bytes(read_path(path)) for path in SAMPLES]

    def remover(self, engine: Engine) -> pyhades.Remover:
        """With one thread for every worker."""
        return pyhades.Remover(self._model, engine=engine, threads=1)

    def rate(self, remover: pyhades.Remover, workers: int, cpus: Sequence[int]) -> float:
        """Pictures a second once all are at work: of each engine between two ends of its own runs.

        Windows that end anywhere would count a picture, or a batch, too many or too few.
        """
        os.sched_setaffinity(0, cpus)  # of this thread, whose threads inherit it
        with SessionPool(remover, workers=workers, threads_per_worker=1) as pool:
            spans: list[Span] = []
            results = pool.run(itertools.cycle(self._pictures), in_order=False)
            for done, (_, outcome) in enumerate(results, 1):
                if isinstance(outcome, Exception):
                    raise outcome
                tallies = pool.engines
                ends = [(each.runs, each.pictures) for each in tallies] or [(done, done)]
                spans = spans or [Span() for _ in ends]
                if done < pool.holders:
                    continue
                for span, end in zip(spans, ends, strict=True):
                    span.note(*end)
                if all(span.seconds >= self._seconds for span in spans):
                    break
        return sum(span.rate for span in spans)

    def whole(self, remover: pyhades.Remover, workers: int, cpus: Sequence[int]) -> float:
        """Pictures a second of a run from its beginning to its end, with nothing warm."""
        os.sched_setaffinity(0, cpus)
        pictures = list(itertools.islice(itertools.cycle(self._pictures), self._count))
        began = time.perf_counter()
        with SessionPool(remover, workers=workers, threads_per_worker=1) as pool:
            for _, outcome in pool.run(pictures, in_order=False):
                if isinstance(outcome, Exception):
                    raise outcome
        return self._count / (time.perf_counter() - began)

    def beside(self, tasks: Sequence[Callable[[], float]]) -> float:
        """The sum of what several do at the same time."""
        found: list[float] = []
        threads = [threading.Thread(target=lambda t=task: found.append(t())) for task in tasks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(found)

    def fault(self, fast: OnnxRuntime, how: str, count: int) -> dict[str, Any]:
        """A run of ``count`` pictures in which the fast engine stops working after some."""
        os.sched_setaffinity(0, self._cores)
        pictures = list(itertools.islice(itertools.cycle(self._pictures), count))
        engine = Hybrid([Unruly(fast, how, after=2), Pyhades()])
        began = time.perf_counter()
        with (
            self.remover(engine) as remover,
            SessionPool(remover, workers=1, engine_timeout=ENGINE_TIMEOUT) as pool,
        ):
            batch = pool.holders // 2 - 1
            outcomes = [outcome for _, outcome in pool.run(pictures, Rendering("mask"))]
            first = pool.engines[0]
        failed = sum(isinstance(outcome, Exception) for outcome in outcomes)
        return {
            "fault": how, "pictures": count, "outcomes": len(outcomes), "failed": failed,
            "in flight": batch * first.failures, "given back": first.given_back,
            "by the fast": first.pictures, "late": first.late,
            "seconds": round(time.perf_counter() - began, 2), "retired": first.retired,
        }  # fmt: skip


def measured(
    bench: Bench, fast: Engine, rounds: int, cpus: Sequence[int], beside: bool, whole: bool
) -> dict[str, Any]:
    """Rates of each alone, of both beside each other, and of both behind one queue."""
    on_cpu = isinstance(fast, OnnxRuntime) and fast.on_cpu
    first, rest = (cpus[:1], cpus[1:]) if on_cpu else (cpus, cpus)
    workers = max(1, len(rest))
    rates: dict[str, list[float]] = {
        name: [] for name in ("fast", "ours", "beside", "hybrid", "whole")
    }
    with (
        bench.remover(fast) as theirs,
        bench.remover(Pyhades()) as ours,
        bench.remover(Hybrid([fast, Pyhades()])) as both,
    ):
        batch = theirs.behind_queue()._networks[0].batch  # type: ignore[union-attr]
        for _ in range(rounds):
            alone = (
                (lambda: bench.rate(theirs, 1, first)),
                (lambda: bench.rate(ours, workers, rest)),
            )
            rates["fast"].append(alone[0]())
            rates["ours"].append(alone[1]())
            if on_cpu and beside:
                rates["beside"].append(bench.beside(alone))
            rates["hybrid"].append(bench.rate(both, workers, cpus))
            if whole:
                rates["whole"].append(bench.whole(both, workers, cpus))
    medians = {name: statistics.median(found) for name, found in rates.items() if found}
    shares = [
        both / (a + b)
        for both, a, b in zip(rates["hybrid"], rates["fast"], rates["ours"], strict=True)
    ]
    return {
        "batch": batch, "rates": medians, "all": rates,
        "share of the sum": medians["hybrid"] / (medians["fast"] + medians["ours"]),
        "shares": shares,
    }  # fmt: skip


def with_open_batch(model: str) -> str:
    """A copy of a file that takes any number of pictures, as far as its shapes say."""
    import onnx

    loaded = onnx.load(model)
    for value in (*loaded.graph.input, *loaded.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "n"
    del loaded.graph.value_info[:]
    copy = Path(tempfile.mkdtemp()) / Path(model).name
    onnx.save(loaded, copy)
    return str(copy)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="ONNX file or name; default: the one that ships")
    parser.add_argument("--device", default="cpu", help="provider of the fast engine")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--beside", action="store_true", help="measure that, too")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--whole", type=int, default=0, metavar="N", help="and runs of N pictures")
    parser.add_argument("--faults", type=int, default=0, metavar="N", help="pictures of such runs")
    parser.add_argument("--open-batch", action="store_true", help="of a copy of the model")
    given = parser.parse_args(arguments)
    cpus = sorted(os.sched_getaffinity(0))
    threads = 1 if given.device == "cpu" else None
    fast = OnnxRuntime(given.device, batch=given.batch, threads=threads)
    model = with_open_batch(given.model) if given.open_batch else given.model
    bench = Bench(model, given.seconds, given.whole, cpus)
    try:
        bench.remover(fast).close()
    except ConfigurationError as error:
        print(f"nothing was measured on {given.device}: {error}")
        return 1
    if given.device == "cpu" and len(cpus) < 2:
        print("nothing was measured: two engines on CPUs need two cores")
        return 1
    if given.rounds:
        cores = cpus[:2] if given.device == "cpu" else cpus
        found = measured(bench, fast, given.rounds, cores, given.beside, given.whole > 0)
        names = list(found["rates"])
        heading = ["model", "batch", *(f"{name}, pictures/s" for name in names), "of the sum"]
        cells = [f"{found['rates'][name]:.2f}" for name in names]
        share = f"{found['share of the sum']:.3f} ({min(found['shares']):.3f} to " \
                f"{max(found['shares']):.3f})"  # fmt: skip
        print(table(heading, [[given.model or "ships", str(found["batch"]), *cells, share]]))
        print(json.dumps(found, default=np.ndarray.tolist))
    if given.faults:
        rows = [bench.fault(fast, how, given.faults) for how in FAULTS]
        print(table(list(rows[0]), [[str(cell) for cell in row.values()] for row in rows]))
    os.sched_setaffinity(0, cpus)
    print(f"{machine_line()}; {fast!r}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
