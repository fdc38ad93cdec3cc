"""How long the stages of a chain take, picture by picture."""

from __future__ import annotations

import time
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

KEPT = 8192
"""Times of a stage that a clock keeps, for percentiles; of more, every other one is dropped."""


def _no_samples() -> array[float]:
    return array("f")  # 4 bytes each, where a list takes 32


@dataclass
class Times:
    """Seconds of one stage.

    Attributes
    ----------
    total, count
        Of all.
    samples
        Some of them, evenly spread.
    """

    total: float = 0.0
    count: int = 0
    samples: array[float] = field(default_factory=_no_samples)
    _every: int = 1

    def add(self, seconds: float) -> None:
        """Another one."""
        if self.count % self._every == 0:
            self.samples.append(seconds)
        self.total += seconds
        self.count += 1
        if len(self.samples) >= KEPT:
            del self.samples[1::2]
            self._every *= 2

    def percentiles(self, shares: Sequence[float]) -> list[float]:
        """Of the samples, such as ``(0.5, 0.99)``."""
        if not self.samples:
            return [float("nan")] * len(shares)
        return [float(value) for value in np.quantile(np.array(self.samples), shares)]

    @property
    def mean(self) -> float:
        """Of all."""
        return self.total / self.count if self.count else float("nan")


class Clock:
    """The stages of one worker; nobody else writes to it.

    Examples
    --------
    >>> clock = Clock()
    >>> with clock.stage("decode"):
    ...     pass
    >>> clock.times["decode"].count
    1
    """

    def __init__(self) -> None:
        self.times: dict[str, Times] = {}
        self._lap: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """What happens inside is of this stage; what fails is not counted."""
        began = time.perf_counter()
        yield
        self.add(name, time.perf_counter() - began)

    def add(self, name: str, seconds: float) -> None:
        """A stage has taken so long."""
        times = self.times.get(name)
        if times is None:
            times = self.times[name] = Times()
        times.add(seconds)
        self._lap[name] = self._lap.get(name, 0.0) + seconds

    def lap(self) -> dict[str, float]:
        """Seconds of each stage since the last call: those of one picture.

        Examples
        --------
        >>> clock = Clock()
        >>> clock.add("decode", 0.5)
        >>> clock.lap(), clock.lap()
        ({'decode': 0.5}, {})
        """
        lap, self._lap = self._lap, {}
        return lap


@dataclass(frozen=True)
class StageReport:
    """Where the time of pictures goes.

    Attributes
    ----------
    stages
        By name, of all workers together, in the order of the chain.
    """

    stages: Mapping[str, Times]

    @classmethod
    def of(cls, clocks: Sequence[Clock]) -> StageReport:
        """What several workers have measured."""
        merged: dict[str, Times] = {}
        for clock in clocks:
            for name, times in list(clock.times.items()):
                into = merged.setdefault(name, Times())
                into.total += times.total
                into.count += times.count
                into.samples += times.samples
        return cls(merged)

    def __or__(self, other: StageReport) -> StageReport:
        """Both, where they share no stage."""
        return StageReport({**self.stages, **other.stages})

    @property
    def bottleneck(self) -> str | None:
        """The stage that takes most; None before anything was done."""
        return max(self.stages, key=lambda name: self.stages[name].total, default=None)

    def share(self, name: str) -> float:
        """Of the time of all stages."""
        whole = sum(times.total for times in self.stages.values())
        return self.stages[name].total / whole if whole else 0.0

    def __str__(self) -> str:
        parts = [
            f"{name} {times.mean * 1e3:.1f} ms ({self.share(name):.0%})"
            for name, times in self.stages.items()
        ]
        most = self.bottleneck
        return ", ".join(parts) + (f"; most of it: {most}" if most else "nothing done yet")

    def _repr_html_(self) -> str:
        cells = (
            (name, f"{times.mean * 1e3:.1f}", f"{self.share(name):.0%}")
            for name, times in self.stages.items()
        )
        rows = "".join(f"<tr><td>{'</td><td>'.join(row)}</td></tr>" for row in cells)
        return f"<table><tr><th>stage</th><th>ms a picture</th><th>share</th></tr>{rows}</table>"
