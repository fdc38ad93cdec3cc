"""Workers that come late to a step, or to a job that is over."""

from __future__ import annotations

import os
import threading
import time

import numpy as np
import pytest

from pyhades import _native
from pyhades.bench.disturbance import Disturbance
from tests.runtime.test_context import WIDTH, build

CPUS = sorted(os.sched_getaffinity(0))


@pytest.mark.parametrize("threads", [2, 4])
def test_many_short_jobs(threads):
    """Thousands of jobs that are mostly over before every thread of the team is awake.

    Each has operands of its own, and those of the jobs before must stay as they are.
    """
    program, source, result = build(steps=2, rows=9)
    context = _native.Context(program, _native.Team(threads))
    x = np.random.default_rng(0).standard_normal((64, 9, WIDTH)).astype(np.float32)
    alone = np.zeros_like(x)
    single = _native.Context(program, _native.Team(1))
    for i in range(len(x)):
        single.run({source: x[i], result: alone[i]})
    for _ in range(10_000 // len(x)):
        y = np.zeros_like(x)
        for i in range(len(x)):
            context.run({source: x[i], result: y[i]})
        assert np.array_equal(y, alone)


def test_late_workers_with_pauses_between_jobs():
    """Threads fall asleep between jobs and wake up at any moment of the next one."""
    program, source, result = build(steps=30)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((301, WIDTH)).astype(np.float32)
    y, again = np.zeros_like(x), np.zeros_like(x)
    _native.Context(program, _native.Team(1)).run({source: x, result: y})
    context = _native.Context(program, _native.Team(3))
    with Disturbance(CPUS[-1]):
        for pause in rng.uniform(0, 0.002, 200):
            time.sleep(pause)
            again[:] = 0
            context.run({source: x, result: again})
            assert np.array_equal(y, again)


def test_callers_on_many_threads():
    """The calling thread is another one for each job of the team."""
    program, source, result = build(steps=5)
    x = np.random.default_rng(0).standard_normal((301, WIDTH)).astype(np.float32)
    y = np.zeros_like(x)
    _native.Context(program, _native.Team(1)).run({source: x, result: y})
    team, wrong = _native.Team(2), []

    def call():
        context, own = _native.Context(program, team), np.zeros_like(x)
        for _ in range(200):
            own[:] = 0
            context.run({source: x, result: own})
            if not np.array_equal(own, y):
                wrong.append(own.copy())

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not wrong
