"""Workers on threads: what goes in comes out, once, whatever happens on the way."""

from __future__ import annotations

import os
import threading
import time

import pytest

from pyhades.errors import ArgumentError, ClosedError
from pyhades.segmentation.bulk.crew import Crew
from pyhades.segmentation.bulk.pool import Pool

ANYWHERE = ((), 0)


class Call:
    """A worker that calls a function, and notes that it was closed."""

    closed = 0

    def __init__(self, function):
        self._function = function

    def __call__(self, item):
        return self._function(item)

    def close(self):
        type(self).closed += 1


def crew(function, workers=2, **others):
    return Crew("test", lambda seat: Call(function), [ANYWHERE] * workers, **others)


def test_results_come_in_the_order_of_the_items():
    def slow_at_first(item):
        time.sleep(0.01 if item % 5 == 0 else 0)
        return item * item

    with Pool([crew(slow_at_first, 4)]) as pool:
        outcomes = list(pool.run(range(200)))
    assert outcomes == [(item, item * item) for item in range(200)]


def test_results_come_as_they_are_done():
    first = threading.Event()

    def work(item):
        if item == 0:
            first.wait(10)
        return item

    came = []
    with Pool([crew(work, 2)], most_items=8) as pool:
        for item, _ in pool.run(range(30), in_order=False):
            came.append(item)
            if len(came) == 20:
                first.set()
    assert sorted(came) == list(range(30)) and came.index(0) >= 20


def test_an_item_that_fails_does_not_stop_the_others():
    def work(item):
        if item % 3 == 0:
            raise ValueError(str(item))
        return item

    with Pool([crew(lambda item: item), crew(work), crew(lambda item: -item)]) as pool:
        for item, outcome in pool.run(range(50)):
            if item % 3 == 0:
                assert isinstance(outcome, ValueError) and str(outcome) == str(item)
            else:
                assert outcome == -item


def test_workers_that_cannot_be_made_tell_why():
    def make(seat):
        raise MemoryError("no room for an arena")

    with Pool([Crew("test", make, [ANYWHERE])]) as pool:
        outcomes = [outcome for _, outcome in pool.run(range(3))]
    assert all(isinstance(outcome, MemoryError) for outcome in outcomes)


@pytest.mark.parametrize("kind", [RuntimeError, KeyboardInterrupt])
def test_an_error_of_the_items_comes_after_the_others(kind):
    def items():
        yield 1
        yield 2
        raise kind("the list is broken")

    came = []
    with Pool([crew(lambda item: item)]) as pool, pytest.raises(kind, match="broken"):
        for item, _ in pool.run(items()):
            came.append(item)
    assert came == [1, 2]


def test_no_more_are_on_their_way_than_there_may_be():
    taken, given = [0], [0]
    most = [0]

    def items():
        for number in range(60):
            taken[0] += 1
            most[0] = max(most[0], taken[0] - given[0])
            yield number

    with Pool([crew(lambda item: item, 3)], most_items=5) as pool:
        for _ in pool.run(items()):
            given[0] += 1
            time.sleep(0.001)
    assert given[0] == 60 and most[0] <= 6  # and the one that the caller looks at


def test_what_one_crew_holds_for_the_next_is_bounded():
    held, most, lock = [0], [0], threading.Lock()

    def decode(item):
        return item

    def predict(item):
        with lock:
            most[0] = max(most[0], len(pool._queues[1]) + 1)
        time.sleep(0.002)
        return item

    crews = [crew(decode, 3, nbytes=lambda result: 100), crew(predict, 1)]
    with Pool(crews, most_items=50, most_bytes=300) as pool:
        assert len(list(pool.run(range(40)))) == 40
        assert pool._queues[1].nbytes == 0
    assert most[0] <= 3 and held == [0]


def test_stopping_finishes_what_was_begun():
    came = []
    with Pool([crew(lambda item: item, 2)], most_items=4) as pool:
        for item, _ in pool.run(iter(range(10**9))):
            came.append(item)
            if item == 20:
                pool.stop()
    assert came == list(range(len(came))) and 21 <= len(came) <= 26


def test_closing_in_the_middle_ends_the_threads():
    Call.closed = 0
    pool = Pool([crew(lambda item: time.sleep(0.001), 3)])
    outcomes = pool.run(iter(range(10**9)))
    for _ in range(10):
        next(outcomes)
    outcomes.close()
    assert Call.closed == 3
    assert not [thread for thread in pool._threads if thread.is_alive()]
    with pytest.raises(ClosedError):
        pool.run([1])


def test_workers_are_pinned_and_the_caller_is_not():
    before = os.sched_getaffinity(0)
    cpu = max(before)
    seats = [((cpu,), 0)]
    with Pool([Crew("test", lambda seat: Call(lambda item: os.sched_getaffinity(0)), seats)]) as p:
        assert [mask for _, mask in p.run([0, 1])] == [{cpu}, {cpu}]
    assert os.sched_getaffinity(0) == before


def test_stages_are_measured():
    class Staged:
        def __init__(self, seat):
            self._clock = seat.clock

        def __call__(self, item):
            with self._clock.stage("sleep"):
                time.sleep(0.002)
            with self._clock.stage("nothing"):
                return item

        def close(self):
            pass

    with Pool([Crew("test", Staged, [ANYWHERE] * 2)]) as pool:
        list(pool.run(range(20)))
    report = pool.stages
    assert report.bottleneck == "sleep" and report.stages["sleep"].count == 20
    assert report.share("sleep") > 0.5 and "most of it: sleep" in str(report)
    assert report.stages["sleep"].percentiles([0.5])[0] >= 0.002


class Noting:
    """Says how long its stages take, without taking so long."""

    def __init__(self, clock, *stages):
        self._clock, self._stages = clock, stages

    def __call__(self, item):
        for name in self._stages:
            self._clock.add(name, float(item))
        if item == 3:
            raise ValueError(item)
        return item

    def close(self):
        pass


def test_results_have_the_times_of_their_own_picture():
    """Those of all crews, and nothing of a picture that failed before."""
    first = Crew("first", lambda seat: Noting(seat.clock, "read", "both"), [ANYWHERE])
    last = Crew(
        "last", lambda seat: Noting(seat.clock, "both", "write"), [ANYWHERE],
        timed=lambda result, stages: (result, dict(stages)),
    )  # fmt: skip
    with Pool([first, last]) as pool:
        results = [result for _, result in pool.run(range(6))]
    assert isinstance(results.pop(3), ValueError)
    assert results == [
        (n, {"read": n, "both": 2 * n, "write": n}) for n in (0, 1, 2, 4, 5)
    ]  # fmt: skip


def test_wrong_arguments():
    with pytest.raises(ArgumentError):
        Pool([crew(len)], most_items=0)
