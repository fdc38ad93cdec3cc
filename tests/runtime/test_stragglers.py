"""Workers whose core is taken away by another process: results, and CPUs of all threads."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import pytest

from pyhades import _native
from pyhades.bench.disturbance import Disturbance
from tests.runtime.test_context import ROWS, WIDTH, build, expected

CPUS = sorted(os.sched_getaffinity(0))

needs_two_cpus = pytest.mark.skipif(len(CPUS) < 2, reason="a core to go to")


def masks() -> dict[int, frozenset[int]]:
    """The CPUs that each thread of this process may use."""
    found = {}
    for task in Path("/proc/self/task").iterdir():
        try:
            found[int(task.name)] = frozenset(os.sched_getaffinity(int(task.name)))
        except ProcessLookupError:
            continue
    return found


@needs_two_cpus
@pytest.mark.parametrize("cpu", [CPUS[0], CPUS[-1]])
@pytest.mark.parametrize("threads", [2, 3])
def test_disturbed_results_are_the_same(cpu, threads):
    """Half of the time one worker is off its core: everything is computed once, in order."""
    x = np.random.default_rng(0).standard_normal((ROWS, WIDTH)).astype(np.float32)
    program, source, result = build(steps=40)
    y = np.zeros_like(x)
    _native.Context(program, _native.Team(1)).run({source: x, result: y})
    assert np.abs(y - expected(x, 40)).max() < 1e-4
    context = _native.Context(program, _native.Team(threads))
    with Disturbance(cpu):
        for _ in range(300):
            again = np.zeros_like(x)
            context.run({source: x, result: again})
            assert np.array_equal(y, again)


@needs_two_cpus
def test_masks_are_given_back():
    """The caller is never moved; afterwards all threads may use what they could use before."""
    x = np.random.default_rng(0).standard_normal((ROWS, WIDTH)).astype(np.float32)
    program, source, result = build(steps=100)
    context = _native.Context(program, _native.Team(2))
    y = np.zeros_like(x)
    context.run({source: x, result: y})
    caller, seen, over = threading.get_native_id(), set(), threading.Event()

    def watch():
        while not over.is_set():
            seen.add(frozenset(os.sched_getaffinity(caller)))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for cpu in (CPUS[0], CPUS[-1]):
            with Disturbance(cpu):
                for _ in range(100):
                    context.run({source: x, result: y})
    finally:
        over.set()
        watcher.join()
    assert seen == {frozenset(CPUS)}
    assert set(masks().values()) == {frozenset(CPUS)}


@needs_two_cpus
def test_a_worker_stays_where_it_may_run():
    """A team whose threads may use one CPU keeps to it."""
    x = np.random.default_rng(0).standard_normal((ROWS, WIDTH)).astype(np.float32)
    program, source, result = build(steps=20)
    y, outcome = np.zeros_like(x), []

    def run():
        os.sched_setaffinity(0, {CPUS[0]})
        context = _native.Context(program, _native.Team(2))
        before = masks()
        for _ in range(50):
            context.run({source: x, result: y})
        started = set(masks().items()) - set(before.items())
        outcome.append({mask for _, mask in started})

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert outcome == [{frozenset({CPUS[0]})}]
    assert np.abs(y - expected(x, 20)).max() < 1e-4


def cpu_of(task: int) -> int:
    """The CPU on which a thread of this process ran last."""
    stat = Path(f"/proc/self/task/{task}/stat").read_text()
    return int(stat.rpartition(")")[2].split()[36])


def share_apart(context: _native.Context, feeds: dict, worker: int, runs: int) -> float:
    """The share of runs after which the worker was not on the CPU of the caller."""
    caller, apart = threading.get_native_id(), 0
    for _ in range(runs):
        context.run(feeds)
        apart += cpu_of(worker) != cpu_of(caller)
    return apart / runs


@needs_two_cpus
def test_workers_keep_apart():
    """Beside a busy process the two workers do not end up on the same CPU."""
    x = np.random.default_rng(0).standard_normal((ROWS, WIDTH)).astype(np.float32)
    program, source, result = build(steps=100)
    before = set(masks())
    context = _native.Context(program, _native.Team(2))
    feeds = {source: x, result: np.zeros_like(x)}
    context.run(feeds)
    (worker,) = set(masks()) - before
    with Disturbance(CPUS[0]):
        # Other tests run beside this one and move threads too: one quiet stretch is enough. Left to
        # the system, stretches beside a busy process are between 0 and 0.9.
        assert any(share_apart(context, feeds, worker, runs=200) > 0.95 for _ in range(30))
