"""Segmentation networks against a rival: speed in turn, memory apart."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import importlib.util
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyhades import _native
from pyhades.arguments import check_count
from pyhades.bench.disturbance import (
    Disturbance,
    beside,
    describe_disturbance,
    neighbours,
)
from pyhades.bench.machine import check_threads, describe_machine
from pyhades.bench.process import EngineProcess
from pyhades.errors import ArgumentError, ConfigurationError

RIVALS = ("onnxruntime",)


@dataclass(frozen=True)
class Measurement:
    """One engine on one model."""

    model: str
    engine: str
    precision: str
    threads: int
    median_ms: float
    p90_ms: float
    runs: int
    peak_rss_mb: float
    gflops: float
    """What the network needs, over the median time; the same operations for every engine."""
    share_of_peak: float
    """``gflops`` over the multiply-add peak measured before and after on as many threads."""
    disturbed: bool
    """A busy process competed for one core; the peak is that of the machine without it."""


@dataclass(frozen=True)
class Candidate:
    """An engine and how it is to run."""

    engine: str
    threads: int
    precision: str


def _start(candidate: Candidate, model: Path, isa: str | None) -> EngineProcess:
    command = ["pyhades.bench.worker", candidate.engine, str(model)]
    command += ["--threads", str(candidate.threads)]
    if candidate.engine == "pyhades":
        command += ["--precision", candidate.precision, *(["--isa", isa] if isa else [])]
    return EngineProcess(f"{candidate.engine} on {model.name}", command)


def measure(
    models: Sequence[Path],
    threads: Sequence[int] = (1,),
    rival: str | None = None,
    *,
    runs: int = 15,
    isa: str | None = None,
    precision: str = "fp32",
    disturb: bool = False,
    report: Callable[[Measurement], None] = lambda measurement: None,
) -> dict[str, Any]:
    """Measure all models; engines and thread counts take turns run by run.

    With ``disturb``, everything a second time beside a busy process that is pinned to one core.

    Returns
    -------
    dict
        ``{"machine": {...}, "results": [...]}``, ready for JSON; a result has the fields of
        :class:`Measurement`.

    Raises
    ------
    ArgumentError, ConfigurationError
        There is nothing to measure, a model does not exist, or the rival is unknown or not
        installed.
    """
    check_count("runs", runs)
    check_threads(threads)
    if not models:
        raise ArgumentError("models is empty: there is nothing to measure")
    for model in models:
        if not model.is_file():
            raise ArgumentError(f"{model}: there is no such file")
    if rival is not None and rival not in RIVALS:
        raise ArgumentError(f"rival={rival!r}: expected one of {', '.join(RIVALS)}")
    if rival is not None and importlib.util.find_spec(rival) is None:
        raise ConfigurationError(f"{rival} is not installed; pip install {rival}")
    peaks = {count: _native.measure_peak_gflops(isa, count) for count in threads}
    engines = ["pyhades", *([rival] if rival else [])]
    candidates = [
        Candidate(engine, count, precision if engine == "pyhades" else "fp32")
        for count in threads
        for engine in engines
    ]
    results = []
    around = neighbours(disturb)
    for model in models:
        for neighbour in around:
            for measurement in _take_turns(candidates, model, runs, isa, peaks, neighbour):
                report(measurement)
                results.append(dataclasses.asdict(measurement))
    machine = describe_machine(isa, threads, peaks) | describe_disturbance(around)
    if rival is not None:
        machine[rival] = importlib.import_module(rival).__version__
    return {"machine": machine, "results": results}


def comparisons(results: Sequence[dict[str, Any]]) -> list[str]:
    """What the rows say about each other: ours against the rival, many threads against one.

    A disturbed row is held against the rival disturbed, and against fewer threads undisturbed.
    """
    ours = [row for row in results if row["engine"] == "pyhades"]
    lines = []
    for row in ours:
        clauses = []
        for other in results:
            if other["model"] != row["model"]:
                continue
            ratio = other["median_ms"] / row["median_ms"]
            alike = (other["threads"], other["disturbed"]) == (row["threads"], row["disturbed"])
            if other["engine"] != "pyhades" and alike:
                share = row["peak_rss_mb"] / other["peak_rss_mb"]
                clauses.append(f"{ratio:.2f} x {other['engine']} in {share:.0%} of its memory")
            if other["engine"] != "pyhades" or other["disturbed"]:
                continue
            if other["threads"] < row["threads"]:
                alone = " alone" if row["disturbed"] else ""
                clauses.append(f"{ratio:.2f} x {other['threads']} thread(s){alone}")
        if clauses:
            how = f"{row['threads']} thread(s){', disturbed' if row['disturbed'] else ''}"
            lines.append(f"{row['model']}, {how}: {', '.join(clauses)}")
    return lines


def _take_turns(
    candidates: Sequence[Candidate],
    model: Path,
    runs: int,
    isa: str | None,
    peaks: dict[int, float],
    neighbour: Disturbance | None,
) -> list[Measurement]:
    """All candidates on one model, run by run, so that a change of the clock meets all alike."""
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(_start(candidate, model, isa)) for candidate in candidates]
        times: list[list[float]] = [[] for _ in processes]
        with beside(neighbour):
            for _ in range(runs):
                for process, taken in zip(processes, times, strict=True):
                    process.ask()  # untimed: threads of the engine before may still spin
                    taken.append(float(process.ask()["ms"]))
        memory = [float(process.finish()["peak_rss_mb"]) for process in processes]
        flops = float(processes[0].facts["flops"])
    # The clock changes while machines get warm: the roof is the better of before and after.
    for count in peaks:
        peaks[count] = max(peaks[count], _native.measure_peak_gflops(isa, count))
    return [
        _summarise(
            candidate,
            model,
            taken,
            peak_rss,
            flops,
            peaks[candidate.threads],
            neighbour is not None,
        )
        for candidate, taken, peak_rss in zip(candidates, times, memory, strict=True)
    ]


def _summarise(
    candidate: Candidate,
    model: Path,
    times: Sequence[float],
    peak_rss_mb: float,
    flops: float,
    peak_gflops: float,
    disturbed: bool,
) -> Measurement:
    median = statistics.median(times)
    gflops = flops / median / 1e6
    return Measurement(
        model=model.stem,
        engine=candidate.engine,
        precision=candidate.precision,
        threads=candidate.threads,
        median_ms=round(median, 3),
        p90_ms=round(_percentile(times, 0.9), 3),
        runs=len(times),
        peak_rss_mb=round(peak_rss_mb, 1),
        gflops=round(gflops, 2),
        share_of_peak=round(gflops / peak_gflops, 4),
        disturbed=disturbed,
    )


def _percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
