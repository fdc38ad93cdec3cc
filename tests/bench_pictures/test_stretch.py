"""Rates do not depend on how workers stand to each other."""

from __future__ import annotations

import itertools

import pytest

from pyhades.bench.pictures import stretch as module
from pyhades.bench.pictures.stretch import Done, Pace, run_stretch

SECONDS = 0.57  # of a picture
WORKERS = 2


class Clock:
    """Stands where it is put."""

    now = 0.0

    def perf_counter(self):
        return self.now


class InStep:
    """Workers that take as long as each other, one a little behind the other."""

    workers = WORKERS

    def __init__(self, clock, behind):
        self._clock, self._behind = clock, behind

    def go(self, pictures):
        for turn in itertools.count(1):
            for worker, path in zip(range(WORKERS), pictures, strict=False):
                self._clock.now = turn * SECONDS + worker * self._behind
                yield path, Done(worker, SECONDS, ended=self._clock.now)


@pytest.mark.parametrize("behind", [0.0, 0.01, 0.3, 0.56])
@pytest.mark.parametrize("seconds", [0.1, 3.0, 3.3])
def test_the_rate_is_that_of_the_workers(monkeypatch, tmp_path, behind, seconds):
    clock = Clock()
    monkeypatch.setattr(module.time, "perf_counter", clock.perf_counter)
    found = run_stretch(InStep(clock, behind), [tmp_path / "a.jpg"], seconds, cold=False)
    assert found.rate == pytest.approx(WORKERS / SECONDS)
    assert found.pictures >= WORKERS and found.elapsed >= seconds


def test_a_worker_that_was_not_seen_before_begins_with_its_first_picture():
    pace = Pace()
    pace.add(Done(0, 1.0, ended=5.0))
    assert pace.workers == 0 and pace.rate == 0
    pace.add(Done(0, 1.0, ended=6.0))
    assert pace.workers == 1 and pace.rate == 1.0
