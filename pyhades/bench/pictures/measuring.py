"""All engines on all pictures, in turn, each in a process of its own."""

from __future__ import annotations

import contextlib
import importlib.util
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyhades.arguments import check_count
from pyhades.bench.pictures.memory import MemoryRow, memory_rows
from pyhades.bench.pictures.page_cache import remember
from pyhades.bench.pictures.rows import Cache, Cell, Row, summarise, with_speed_ups
from pyhades.bench.pictures.sets import PictureSet
from pyhades.bench.pictures.stretch import FAILURES_TOLD, usable_cpus
from pyhades.bench.process import EngineEndedError, EngineProcess
from pyhades.errors import ArgumentError, ConfigurationError

OURS = "pyhades"
LOOP = "loop"
REMBG = "rembg"
RIVALS = ("onnxruntime", "openvino", REMBG, LOOP)


@dataclass(frozen=True)
class Task:
    """What is to be measured.

    Attributes
    ----------
    model
        Path or name; None for the model in the package.
    precision, isa
        Of our network.
    workers
        Numbers of them.
    threads
        Of each.
    rivals
        Beside us; ``"loop"`` is our own chain without a pool, one picture after the other.
    seconds, stretches
        Of each stretch, and how many of each.
    caches
        Whether files come from memory, from the disk or both.
    out
        Folder for results.
    """

    sets: tuple[PictureSet, ...]
    out: Path
    model: str | None = None
    precision: str | None = None
    isa: str | None = None
    workers: tuple[int, ...] = (1,)
    threads: int = 1
    rivals: tuple[str, ...] = ()
    seconds: float = 5.0
    stretches: int = 3
    caches: tuple[Cache, ...] = ("warm",)

    def cells(self) -> list[Cell]:
        """Engines by workers; a loop has one, and rembg shares the CPUs among its own."""
        pooled = [name for name in (OURS, *self.rivals) if name != LOOP]
        cells = [
            Cell(name, count, max(1, usable_cpus() // count) if name == REMBG else self.threads)
            for count in self.workers
            for name in pooled
        ]
        return cells + [Cell(LOOP, 1, self.threads)] * (LOOP in self.rivals)


@dataclass(frozen=True)
class Refusal:
    """What could not be measured, and why."""

    engine: str
    workers: int
    set: str | None
    reason: str


@dataclass
class Measured:
    """Everything that came of it."""

    rows: list[Row] = field(default_factory=list)
    memory: list[MemoryRow] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    failures: list[dict[str, str]] = field(default_factory=list)
    facts: dict[Cell, dict[str, Any]] = field(default_factory=dict)


def measure(task: Task, report: Callable[[Row | Refusal], object] = lambda row: None) -> Measured:
    """Measure; engines take turns stretch by stretch, so that a change of the clock meets all.

    Raises
    ------
    ArgumentError, ConfigurationError
        There is nothing to measure, or a rival is unknown or not installed.
    EngineEndedError
        Ours could not be measured at all; says why.
    """
    _check(task)
    return _Measuring(task, report).run()


def _check(task: Task) -> None:
    check_count("stretches", task.stretches)
    if not task.sets or not task.workers:
        raise ArgumentError(f"{'workers' if task.sets else 'sets'} is empty: nothing to measure")
    for count in task.workers:
        check_count("workers", count)
    if task.seconds <= 0:
        raise ArgumentError(f"seconds={task.seconds}: expected more than 0")
    for rival in task.rivals:
        if rival not in RIVALS:
            raise ArgumentError(f"rival={rival!r}: expected one of {', '.join(RIVALS)}")
        if rival != LOOP and importlib.util.find_spec(rival) is None:
            raise ConfigurationError(f"{rival} is not installed; pip install {rival}")


class _Measuring:
    def __init__(self, task: Task, report: Callable[[Row | Refusal], object]) -> None:
        self._task = task
        self._report = report
        self._measured = Measured()
        self._processes: dict[Cell, EngineProcess] = {}

    def run(self) -> Measured:
        with contextlib.ExitStack() as stack:
            for cell in self._task.cells():
                self._start(cell, stack)
            for picture_set in self._task.sets:
                for cache in self._task.caches:
                    self._take_turns(picture_set, cache)
            self._end()
        return self._measured

    def _start(self, cell: Cell, stack: contextlib.ExitStack) -> None:
        name = f"{cell.engine} with {cell.workers} workers"
        try:
            process = stack.enter_context(EngineProcess(name, _command(self._task, cell)))
        except EngineEndedError as error:
            if cell.engine == OURS:
                raise
            self._refuse(cell, None, error.said or str(error))
            return
        self._processes[cell] = process
        self._measured.facts[cell] = process.facts

    def _take_turns(self, picture_set: PictureSet, cache: Cache) -> None:
        if cache == "warm":
            for path in picture_set.paths:
                remember(path)
        stretches: dict[Cell, list[dict[str, Any]]] = {cell: [] for cell in self._processes}
        for _ in range(self._task.stretches):
            for cell in list(self._processes):
                stretch = self._ask(cell, picture_set, cache)
                if stretch is not None:
                    stretches[cell].append(stretch)
        rows = []
        for cell, found in stretches.items():
            if found:
                rows += self._summary(cell, picture_set, cache, found)
        for row in with_speed_ups(rows):
            self._measured.rows.append(row)
            self._report(row)

    def _ask(self, cell: Cell, picture_set: PictureSet, cache: Cache) -> dict[str, Any] | None:
        try:
            stretch = self._processes[cell].ask(
                folder=str(picture_set.folder), seconds=self._task.seconds, cold=cache == "cold"
            )
        except EngineEndedError as error:
            if cell.engine == OURS:
                raise
            del self._processes[cell]
            self._refuse(cell, picture_set.name, error.said or str(error))
            return None
        self._measured.facts[cell] |= stretch["facts"]
        return stretch

    def _summary(
        self, cell: Cell, picture_set: PictureSet, cache: Cache, found: list[dict[str, Any]]
    ) -> list[Row]:
        failures = [failure for stretch in found for failure in stretch["failures"]]
        told = {(failure["picture"], failure["reason"]): failure for failure in failures}
        for failure in list(told.values())[:FAILURES_TOLD]:
            self._measured.failures.append({"engine": cell.engine, **failure})
        precision = str(self._measured.facts[cell].get("precision", "fp32"))
        row = summarise(cell, picture_set.name, cache, precision, found, usable_cpus())
        if row is None:
            reason = failures[0]["reason"] if failures else "nothing was finished in time"
            self._refuse(cell, picture_set.name, f"no picture worked: {reason}")
        return [] if row is None else [row]

    def _end(self) -> None:
        answers = {}
        for cell, process in self._processes.items():
            try:
                answers[cell] = process.finish()
            except EngineEndedError as error:
                self._refuse(cell, None, error.said or str(error))
        self._measured.memory = memory_rows(answers)

    def _refuse(self, cell: Cell, picture_set: str | None, said: str) -> None:
        reason = re.sub(r"^[\w.]*Error: ", "", said)
        refusal = Refusal(cell.engine, cell.workers, picture_set, reason)
        self._measured.refused.append(refusal)
        self._report(refusal)


def _command(task: Task, cell: Cell) -> list[str]:
    out = task.out / f"{cell.engine}-{cell.workers}"
    out.mkdir(parents=True, exist_ok=True)
    command = ["pyhades.bench.pictures.worker", cell.engine, "--out", str(out)]
    command += ["--workers", str(cell.workers), "--threads", str(cell.threads)]
    for name, value in (("model", task.model), ("precision", task.precision), ("isa", task.isa)):
        command += [f"--{name}", value] if value else []
    return command
