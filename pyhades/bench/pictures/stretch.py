"""A stretch of measurement: pictures for some seconds, after workers have become warm."""

from __future__ import annotations

import itertools
import os
import resource
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pyhades.bench.energy import EnergyMeter
from pyhades.bench.pictures.page_cache import bytes_from_disk, forget

FAILURES_TOLD = 20
"""Of a stretch; the others are counted."""
MOST_FAILURES = 3
"""Times through all pictures that nothing but failures may take."""


@dataclass(frozen=True)
class Done:
    """A picture that is finished.

    Attributes
    ----------
    worker
        Who did it.
    seconds
        From the first look at its file to the last byte of its result.
    stages
        Seconds of parts of that.
    written
        Bytes of its result.
    ended
        When, as :func:`time.perf_counter` has it.
    """

    worker: int
    seconds: float
    stages: dict[str, float] = field(default_factory=dict)
    written: int = 0
    ended: float = field(default_factory=time.perf_counter)


class Pace:
    """Pictures per second, each worker's counted from the end of one picture to that of another.

    With a common beginning and end, what is in flight would be missing, and workers that keep step
    would lose a picture to each other.

    Examples
    --------
    >>> pace = Pace()
    >>> for end in (1.0, 1.5, 2.0):
    ...     pace.add(Done(0, 0.5, ended=end))
    >>> pace.rate
    2.0
    """

    def __init__(self) -> None:
        self._spans: dict[int, tuple[float, float, int]] = {}

    def begin(self, done: Done) -> None:
        """The worker's next picture is the first that counts."""
        self._spans[done.worker] = (done.ended, done.ended, 0)

    def add(self, done: Done) -> None:
        """Another picture of a worker."""
        if done.worker not in self._spans:
            return self.begin(done)
        first, _, count = self._spans[done.worker]
        self._spans[done.worker] = (first, done.ended, count + 1)

    @property
    def workers(self) -> int:
        """That have done a picture since they began."""
        return sum(1 for *_, count in self._spans.values() if count)

    @property
    def rate(self) -> float:
        """Of all workers together."""
        return sum(count / (last - first) for first, last, count in self._spans.values() if count)


class Subject(Protocol):
    """What is measured."""

    workers: int

    def go(self, pictures: Iterator[Path]) -> Iterator[tuple[Path, Done | Exception]]:
        """Pictures with what became of them, until they are taken no longer."""

    def facts(self) -> dict[str, Any]:
        """What is known of it."""

    def parts(self) -> dict[str, int]:
        """Its memory by part, in bytes, after a stretch; none where nobody can tell."""

    def close(self) -> None:
        """Give everything back."""


@dataclass
class Stretch:
    """What came of it.

    Attributes
    ----------
    elapsed
        Seconds.
    pictures
        Finished in that time.
    rate
        Pictures per second; see :class:`Pace`.
    latencies
        Seconds of those that were also begun in it.
    stages
        Seconds of their parts, picture by picture.
    written
        Bytes of results.
    cpu
        Seconds of processors.
    failed
        Pictures that did not work.
    failures
        Some of them, with the reason.
    disk
        Bytes that were read from disks; None where nobody tells.
    joules
        None where nobody tells.
    """

    elapsed: float = 0.0
    pictures: int = 0
    rate: float = 0.0
    latencies: list[float] = field(default_factory=list)
    stages: list[dict[str, float]] = field(default_factory=list)
    written: int = 0
    cpu: float = 0.0
    failed: int = 0
    failures: list[dict[str, str]] = field(default_factory=list)
    disk: int | None = None
    joules: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return asdict(self)

    def add(self, path: Path, outcome: Done | Exception, since: float) -> None:
        """Another picture, so many seconds after the beginning."""
        if isinstance(outcome, Done):
            self.pictures += 1
            self.written += outcome.written
            if outcome.seconds <= since:
                self.latencies.append(outcome.seconds)
                self.stages.append(outcome.stages)
            return
        self.failed += 1
        if len(self.failures) < FAILURES_TOLD:
            reason = f"{type(outcome).__name__}: {outcome}"
            self.failures.append({"picture": str(path), "reason": reason})


def run_stretch(subject: Subject, paths: Sequence[Path], seconds: float, cold: bool) -> Stretch:
    """Go through pictures again and again for ``seconds``.

    Nothing counts until every worker has done a picture: arenas are touched by then, caches filled.

    Parameters
    ----------
    subject
        Does them.
    paths
        The pictures.
    seconds
        At least; and until every worker has done a picture.
    cold
        The kernel is asked to forget each file before it is handed out.
    """
    results = subject.go(_cold(paths) if cold else itertools.cycle(paths))
    pace = Pace()
    warm, stretch = _warmed(subject.workers, results, len(paths), pace)
    if not warm:
        return stretch
    meter, cpu, disk = EnergyMeter(), _cpu_seconds(), bytes_from_disk()
    began = last = time.perf_counter()
    for path, outcome in results:
        last = time.perf_counter()
        stretch.add(path, outcome, last - began)
        if isinstance(outcome, Done):
            pace.add(outcome)
        enough = len(stretch.latencies) >= subject.workers <= pace.workers
        if (enough or stretch.failed >= len(paths)) and last >= began + seconds:
            break
    stretch.rate = pace.rate
    stretch.elapsed, stretch.cpu = last - began, _cpu_seconds() - cpu
    stretch.joules = meter.joules()
    after = bytes_from_disk()
    stretch.disk = None if disk is None or after is None else after - disk
    close = getattr(results, "close", None)
    if close is not None:
        close()
    return stretch


def _warmed(
    workers: int, results: Iterator[tuple[Path, Done | Exception]], count: int, pace: Pace
) -> tuple[bool, Stretch]:
    """Whether every worker has done a picture; what failed until then."""
    failed, seen = Stretch(), set[int]()
    while len(seen) < workers:
        path, outcome = next(results)
        if isinstance(outcome, Done):
            seen.add(outcome.worker)
            pace.begin(outcome)
        else:
            failed.add(path, outcome, 0.0)
        if not seen and failed.failed >= MOST_FAILURES * count:
            return False, failed
    # What fails fails again in what is counted.
    return True, Stretch()


def _cold(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        forget(path)
    for path in itertools.cycle(paths):
        forget(path)
        yield path


def _cpu_seconds() -> float:
    """Of this process, its threads among it."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def usable_cpus() -> int:
    """CPUs that this process may run on."""
    return len(os.sched_getaffinity(0))
