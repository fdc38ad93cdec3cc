"""Many answers at once: what a step of each number of them takes, and how much of it is kernels."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pyhades import _native
from pyhades.arguments import check_count
from pyhades.bench.llm import Subject
from pyhades.bench.machine import check_threads, describe_machine
from pyhades.bench.memory import PeakMemory
from pyhades.errors import ArgumentError
from pyhades.llm.engine.request import Request
from pyhades.llm.engine.runner import Runner
from pyhades.llm.engine.sampling import SamplingParams
from pyhades.llm.engine.scheduler import Scheduler
from pyhades.llm.engine.step_costs import StepCosts
from pyhades.llm.measure.traffic import bytes_per_step, operations_per_token

BATCHES = (1, 2, 4, 8, 16, 32)
STEPS = 12
PROMPT_TOKENS = 64
BANDWIDTH_BYTES = 1 << 30


@dataclass(frozen=True)
class BatchMeasurement:
    """Answers written together on one number of threads."""

    engine: str
    precision: str
    threads: int
    batch: int
    tok_s: float
    """Of all answers together."""
    times_one: float
    """As many times as one answer alone."""
    step_ms_p50: float
    step_ms_p90: float
    peak_rss_gb: float
    outside_kernels: float | None = None
    """Share of the steps' time: choosing who takes part, sampling, text."""
    experts_per_layer: float | None = None
    """Different ones that a step reads."""
    bytes_per_step: int | None = None
    bandwidth_gb_s: float | None = None
    share_of_bandwidth: float | None = None
    int8_gops: float | None = None
    share_of_int8_peak: float | None = None

    def __str__(self) -> str:
        parts = [
            f"{self.engine:<10}{self.threads} threads  {self.batch:>3} answers{self.tok_s:>8.1f} "
            f"tokens/s ({self.times_one:.2f} times one){self.step_ms_p50:>8.1f} ms per step"
        ]
        if self.outside_kernels is not None:
            parts.append(f"{self.outside_kernels:.1%} outside kernels")
        if self.experts_per_layer is not None:
            parts.append(f"{self.experts_per_layer:.1f} experts")
        if self.share_of_bandwidth is not None:
            parts.append(f"{self.share_of_bandwidth:.0%} of {self.bandwidth_gb_s:.1f} GB/s")
        if self.share_of_int8_peak is not None:
            parts.append(f"{self.share_of_int8_peak:.0%} of {self.int8_gops:.0f} int8 GOP/s")
        return ", ".join(parts)


Report = Callable[[BatchMeasurement], None]


def measure(
    subject: Subject,
    threads: Sequence[int] = (1,),
    batches: Sequence[int] = BATCHES,
    steps: int = STEPS,
    params: SamplingParams | None = None,
    *,
    bandwidth_bytes: int = BANDWIDTH_BYTES,
    report: Report = lambda measurement: None,
) -> dict[str, Any]:
    """Measure steps that write so many answers, through scheduler and sampling.

    Parameters
    ----------
    subject
        The model.
    threads
        Numbers of threads, one after the other.
    batches
        Numbers of answers.
    steps
        Measured for each, after two that are not.
    params
        How tokens are sampled; by default as the model says.
    bandwidth_bytes
        Read to measure the speed of the memory.
    report
        Called with each row as soon as it is there.

    Returns
    -------
    dict
        ``{"machine": {...}, "results": [...]}``, ready for JSON; a result has the fields of
        :class:`BatchMeasurement`.
    """
    check_threads(threads)
    if not batches:
        raise ArgumentError("batches is empty: there is nothing to measure")
    for batch in batches:
        check_count("batches", batch)
    check_count("steps", steps)
    rows: list[BatchMeasurement] = []
    for count in threads:
        bench = _Batches(subject, count, max(batches), steps, bandwidth_bytes)
        with contextlib.closing(bench.runner):
            one = None
            for batch in batches:
                row = bench.row(batch, params or SamplingParams(seed=0), one)
                one = one or row.tok_s / batch
                rows.append(row)
                report(row)
    peaks = {count: _native.measure_peak_gflops(subject.isa, count) for count in threads}
    machine = describe_machine(subject.isa, threads, peaks) | {"model": subject.name}
    return {"machine": machine, "results": [asdict(row) for row in rows]}


class _Batches:
    """Everything measured with one number of threads."""

    def __init__(
        self, subject: Subject, threads: int, most: int, steps: int, bandwidth_bytes: int
    ) -> None:
        self._subject = subject
        self._threads = threads
        self._steps = steps
        self._bandwidth_bytes = bandwidth_bytes
        self._memory = PeakMemory()
        # Some write already while the last prompts are read, eight of them per step.
        self._most_tokens = steps + most + 4
        context = PROMPT_TOKENS + self._most_tokens
        self.runner = Runner(
            subject.config, subject.weights, context, most, threads, subject.isa,
            subject.kv_format,
        )  # fmt: skip
        self._random = np.random.default_rng(0)

    def row(self, batch: int, params: SamplingParams, one: float | None) -> BatchMeasurement:
        """What so many answers take; ``one`` is the speed of one, where it is known."""
        scheduler = self._writing(batch, params)
        before = self._bandwidth(), self._int8_gops()
        seconds, experts, depths = [], [], []
        in_model = scheduler.seconds_in_model
        for _ in range(self._steps):
            depths.append(max(answer.sequence.length for answer in scheduler.answers))
            began = time.perf_counter()
            events = scheduler.step()
            seconds.append(time.perf_counter() - began)
            assert len(events) == batch
            experts.append(_different(self.runner.chosen_experts))
        in_model = scheduler.seconds_in_model - in_model
        scheduler.drop(scheduler.answers)
        bandwidth, gops = (
            (one + other) / 2
            for one, other in zip(before, (self._bandwidth(), self._int8_gops()), strict=True)
        )
        median = float(np.median(seconds))
        s = self._subject
        needed = bytes_per_step(
            s.config, s.weights, float(np.mean(experts)), [int(np.median(depths))] * batch,
            s.kv_format,
        )  # fmt: skip
        operations = _operations(s, batch)
        return BatchMeasurement(
            "pyhades", s.weights.precision, self._threads, batch,
            tok_s=batch / median,
            times_one=batch / median / one if one else 1.0,
            step_ms_p50=median * 1e3,
            step_ms_p90=float(np.percentile(seconds, 90) * 1e3),
            outside_kernels=1 - in_model / sum(seconds),
            experts_per_layer=float(np.mean(experts)),
            bytes_per_step=needed,
            bandwidth_gb_s=bandwidth,
            share_of_bandwidth=needed / median / bandwidth / 1e9,
            int8_gops=gops,
            share_of_int8_peak=operations / median / gops / 1e9 if gops else 0.0,
            peak_rss_gb=self._memory.nbytes() / 1e9,
        )  # fmt: skip

    def _writing(self, batch: int, params: SamplingParams) -> Scheduler:
        """A scheduler of so many answers whose prompts are read."""
        scheduler = Scheduler(self.runner, _Unhurried([1], [1e-9]))
        most = self._most_tokens
        for number in range(batch):
            ids = self._random.integers(0, self._subject.config.vocab_size, PROMPT_TOKENS)
            params = params.changed(seed=number)
            scheduler.add(Request(number, tuple(ids.tolist()), params, most, frozenset()))
        while not all(answer.is_writing for answer in scheduler.answers):
            events = scheduler.step()
            assert all(event.error is None for event in events)
        scheduler.step()
        return scheduler

    def _bandwidth(self) -> float:
        with self._memory.uncounted():
            return _native.measure_bandwidth_gbs(
                self._subject.isa, self._threads, self._bandwidth_bytes
            )

    def _int8_gops(self) -> float:
        return _native.measure_peak_int8_gops(self._subject.isa, self._threads)


class _Unhurried(StepCosts):
    """All prompts in as few steps as can be, so that all answers begin together."""

    def learn(self, rows: int, looks: int, seconds: float) -> None:
        """Nothing."""


def _different(chosen: Any) -> float:
    """Experts that a layer's tokens went to, each counted once, on average over the layers."""
    return float(np.mean([np.unique(layer).size for layer in chosen]))


def _operations(subject: Subject, batch: int) -> int:
    """Of a step: every answer wants logits, unlike the tokens of a prompt."""
    head = 2 * subject.config.hidden_size * subject.config.vocab_size
    return batch * (operations_per_token(subject.config) + head)
