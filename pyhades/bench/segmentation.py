"""Segmentation networks against a rival: speed in turn, memory apart."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import importlib.util
import re
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
from pyhades.bench.process import EngineEndedError, EngineProcess
from pyhades.errors import ArgumentError, ConfigurationError

ENGINES: dict[str, tuple[str, ...]] = {
    "pyhades": ("fp32", "bf16", "int8"),
    "onnxruntime": ("fp32", "int8"),
    "openvino": ("fp32", "bf16", "int8"),
}
"""Engines, ours first, and the precisions that each may be asked for."""
OURS, *RIVALS = ENGINES
UNHELD = {"onnxruntime"}
"""Rivals that cannot be kept from instructions that the CPU has."""
PRECISIONS = ENGINES[OURS]


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
    gflops: float | None
    """What the network needs, over the median time; the same operations for every engine. None
    where no engine of ours has said what it needs."""
    share_of_peak: float | None
    """``gflops`` over the multiply-add peak measured before and after on as many threads."""
    disturbed: bool
    """A busy process competed for one core; the peak is that of the machine without it."""


@dataclass(frozen=True)
class Refusal:
    """What cannot be measured, a precision that the CPU has no instructions for, say."""

    model: str
    engine: str
    precision: str
    threads: int
    reason: str


@dataclass(frozen=True)
class Candidate:
    """An engine and how it is to run."""

    engine: str
    threads: int
    precision: str

    def file(self, model: Path) -> Path:
        """What it reads: for int8 what its own quantiser made, beside ``model``."""
        if self.precision != "int8":
            return model
        suffix = "xml" if self.engine == "openvino" else "onnx"
        return model.with_name(f"{model.stem}.{self.engine}-int8.{suffix}")


class _Refused:
    """What engines have refused so far, each once; ``report`` is told."""

    def __init__(self, report: Callable[[Measurement | Refusal], None]) -> None:
        self.rows: list[Refusal] = []
        self.errors: list[EngineEndedError] = []
        self._report = report

    def add(self, candidate: Candidate, model: Path, error: EngineEndedError) -> None:
        """Note why a candidate does not run; its exception's class is not what matters."""
        reason = re.sub(r"^[\w.]*Error: ", "", error.said) or str(error)
        about = (model.stem, candidate.engine, candidate.precision, candidate.threads)
        row = Refusal(*about, reason)
        if row not in self.rows:
            self.rows.append(row)
            self.errors.append(error)
            self._report(row)


def _start(candidate: Candidate, model: Path, isa: str | None, tune: bool) -> EngineProcess:
    file = candidate.file(model)
    command = ["pyhades.bench.worker", candidate.engine, str(file)]
    command += ["--threads", str(candidate.threads), "--precision", candidate.precision]
    command += ["--isa", isa] if isa else []
    command += ["--tune"] if tune and candidate.engine == OURS else []
    return EngineProcess(f"{candidate.engine} on {file.name}", command)


def measure(
    models: Sequence[Path],
    threads: Sequence[int] = (1,),
    rivals: Sequence[str] = (),
    *,
    runs: int = 15,
    isa: str | None = None,
    precisions: Sequence[str] = ("fp32",),
    tune: bool = False,
    disturb: bool = False,
    report: Callable[[Measurement | Refusal], None] = lambda row: None,
) -> dict[str, Any]:
    """Measure all models; engines, precisions and thread counts take turns run by run.

    An engine takes part in the precisions that it has. For int8 each reads the file that its own
    quantiser made, ``MODEL.ENGINE-int8.onnx`` beside ``MODEL.onnx`` (``.xml`` for OpenVINO). Where
    ``isa`` is given, rivals are held to that tier too if they can be, which ``machine["unheld"]``
    says; onnxruntime cannot. With
    ``tune`` ours measures its algorithms before, see :func:`pyhades.compile`. With ``disturb``,
    everything a second time beside a busy process that is pinned to one core. What an engine
    refuses to run is reported with the reason, and the rest is measured.

    Returns
    -------
    dict
        ``{"machine": {...}, "results": [...], "refused": [...]}``, ready for JSON; a result has the
        fields of :class:`Measurement`, what is refused those of :class:`Refusal`.

    Raises
    ------
    ArgumentError, ConfigurationError
        There is nothing to measure, a model does not exist, or a rival is unknown or not
        installed.
    EngineEndedError
        No engine could be measured at all; says why the first could not.
    """
    check_count("runs", runs)
    check_threads(threads)
    candidates = [
        Candidate(engine, count, precision)
        for count in threads
        for precision in precisions
        for engine in (OURS, *rivals)
        if precision in _precisions_of(engine)
    ]
    _check_files(models, candidates)
    peaks = {count: _native.measure_peak_gflops(isa, count) for count in threads}
    results, refused = [], _Refused(report)
    around = neighbours(disturb)
    for model in models:
        for neighbour in around:
            for measurement in _take_turns(
                candidates, model, runs, isa, tune, peaks, neighbour, refused
            ):
                report(measurement)
                results.append(dataclasses.asdict(measurement))
    if not results:
        raise refused.errors[0]
    machine = describe_machine(isa, threads, peaks) | describe_disturbance(around)
    machine["tuned"] = tune
    machine["unheld"] = sorted(set(rivals) & UNHELD) if isa else []
    machine |= {rival: importlib.import_module(rival).__version__ for rival in rivals}
    rows = [dataclasses.asdict(refusal) for refusal in refused.rows]
    return {"machine": machine, "results": results, "refused": rows}


def _precisions_of(engine: str) -> tuple[str, ...]:
    if engine not in ENGINES:
        raise ArgumentError(f"rival={engine!r}: expected one of {', '.join(RIVALS)}")
    if engine != OURS and importlib.util.find_spec(engine) is None:
        raise ConfigurationError(f"{engine} is not installed; pip install {engine}")
    return ENGINES[engine]


def _check_files(models: Sequence[Path], candidates: Sequence[Candidate]) -> None:
    if not models or not candidates:
        nothing = "models" if not models else "precisions"
        raise ArgumentError(f"{nothing} is empty: there is nothing to measure")
    for model in models:
        if not model.is_file():
            raise ArgumentError(f"{model}: there is no such file")
        for candidate in candidates:
            if not candidate.file(model).is_file():
                raise ArgumentError(
                    f"{candidate.file(model)}: there is no such file; make it with: "
                    f"python -m bench.quantise {model} --engine {candidate.engine}"
                )


def comparisons(results: Sequence[dict[str, Any]]) -> list[str]:
    """What the rows say about each other: ours against rivals, fp32 and fewer threads.

    Rivals are those of the same precision. A disturbed row is held against rivals disturbed, and
    against fewer threads undisturbed.
    """
    ours = [row for row in results if row["engine"] == OURS]
    lines = []
    for row in ours:
        clauses = []
        for other in results:
            if other["model"] == row["model"] and other is not row:
                clauses += _compared(row, other)
        if clauses:
            how = f"{row['threads']} thread(s){', disturbed' if row['disturbed'] else ''}"
            clauses_text = ", ".join(clauses)
            lines.append(f"{row['model']}, {row['precision']}, {how}: {clauses_text}")
    return lines


def _compared(row: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """What a row of ours says beside another one."""
    ratio = other["median_ms"] / row["median_ms"]
    same_threads = other["threads"] == row["threads"]
    as_disturbed = other["disturbed"] == row["disturbed"]
    as_precise = other["precision"] == row["precision"]
    if other["engine"] != OURS:
        if not (same_threads and as_disturbed and as_precise):
            return []
        share = row["peak_rss_mb"] / other["peak_rss_mb"]
        return [f"{ratio:.2f} x {other['engine']} in {share:.0%} of its memory"]
    if same_threads and as_disturbed and other["precision"] == "fp32":
        return [f"{ratio:.2f} x fp32"]
    if as_precise and not other["disturbed"] and other["threads"] < row["threads"]:
        alone = " alone" if row["disturbed"] else ""
        return [f"{ratio:.2f} x {other['threads']} thread(s){alone}"]
    return []


def _take_turns(
    candidates: Sequence[Candidate],
    model: Path,
    runs: int,
    isa: str | None,
    tune: bool,
    peaks: dict[int, float],
    neighbour: Disturbance | None,
    refused: _Refused,
) -> list[Measurement]:
    """All candidates on one model, run by run, so that a change of the clock meets all alike."""
    with contextlib.ExitStack() as stack:
        processes = {}
        for candidate in candidates:
            try:
                process = _start(candidate, model, isa, tune)
            except EngineEndedError as error:
                refused.add(candidate, model, error)
            else:
                processes[candidate] = stack.enter_context(process)
        times: dict[Candidate, list[float]] = {candidate: [] for candidate in processes}
        with beside(neighbour):
            for _ in range(runs):
                for candidate, process in processes.items():
                    process.ask()  # untimed: threads of the engine before may still spin
                    times[candidate].append(float(process.ask()["ms"]))
        memory = {c: float(process.finish()["peak_rss_mb"]) for c, process in processes.items()}
        stated = [process.facts["flops"] for c, process in processes.items() if c.engine == OURS]
    # The clock changes while machines get warm: the roof is the better of before and after.
    for count in peaks:
        peaks[count] = max(peaks[count], _native.measure_peak_gflops(isa, count))
    return [
        _summarise(
            candidate,
            model,
            times[candidate],
            memory[candidate],
            float(stated[0]) if stated else None,
            peaks[candidate.threads],
            neighbour is not None,
        )
        for candidate in processes
    ]


def _summarise(
    candidate: Candidate,
    model: Path,
    times: Sequence[float],
    peak_rss_mb: float,
    flops: float | None,
    peak_gflops: float,
    disturbed: bool,
) -> Measurement:
    median = statistics.median(times)
    gflops = None if flops is None else flops / median / 1e6
    return Measurement(
        model=model.stem,
        engine=candidate.engine,
        precision=candidate.precision,
        threads=candidate.threads,
        median_ms=round(median, 3),
        p90_ms=round(_percentile(times, 0.9), 3),
        runs=len(times),
        peak_rss_mb=round(peak_rss_mb, 1),
        gflops=None if gflops is None else round(gflops, 2),
        share_of_peak=None if gflops is None else round(gflops / peak_gflops, 4),
        disturbed=disturbed,
    )


def _percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
