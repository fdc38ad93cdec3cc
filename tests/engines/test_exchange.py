"""One queue, several engines: whatever they do, every picture has exactly one answer."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from pyhades.engines.exchange import Exchange
from pyhades.engines.patience import LEAST_SECONDS, Patience
from pyhades.engines.requests import Place
from pyhades.errors import ArgumentError, ClosedError, EngineError, ShapeError
from tests.support.engines import (
    Gate,
    Scripted,
    brightness,
    failing,
    failing_from,
    made_by,
    picture,
    slow,
)
from tests.support.served import until

SHORT = Patience(seconds=0.5)
"""Who works has to be quicker, whatever else the machine does; who hangs costs a test this time."""


def exchange_of(*engines, patience=None, check=None):
    places = []
    for number, engine in enumerate(engines):
        make = made_by(engine)
        places += [Place(number, make, engine.batch) for _ in range(engine.lanes(1, True))]
    options = {} if check is None else {"check": check}
    return Exchange([e.label for e in engines], places, patience or Patience(), **options)


def ask_all(exchange, count, askers=12):
    """Every picture with its answer and engine, or with the error that took their place."""

    def ask(number):
        try:
            answer, engine = exchange.ask(picture(number))
        except Exception as error:
            return number, error, ""
        assert np.allclose(answer, number / 1000) and answer.shape == (1, 1, 8, 8)
        return number, answer, engine

    with ThreadPoolExecutor(askers) as pool:
        return list(pool.map(ask, range(count)))


def ask_until(exchange, is_enough):
    """Until an engine has been given what it is here for; consumers start in any order."""
    outcomes = []
    while not outcomes or not is_enough():
        outcomes += ask_all(exchange, 12)
    return outcomes


def errors_in(outcomes):
    return [answer for _, answer, _ in outcomes if isinstance(answer, Exception)]


def test_all_pictures_are_answered_and_say_by_whom():
    fast, slow_one = Scripted("fast", slow(0.002), batch=4), Scripted("slow", slow(0.002))
    exchange = exchange_of(fast, slow_one)
    outcomes = ask_until(
        exchange, lambda: slow_one.sizes and max(fast.sizes, default=0) == fast.batch
    )
    exchange.close()
    made = Counter(engine for _, _, engine in outcomes)
    assert not errors_in(outcomes) and set(made) == {"fast", "slow"}
    assert {tally.label: tally.pictures for tally in exchange.tallies} == made
    assert max(fast.sizes) == 4 and set(slow_one.sizes) == {1}


def test_whoever_is_faster_takes_more():
    fast, slow_one = Scripted("fast", slow(0.002), batch=4), Scripted("slow", slow(0.1))
    exchange = exchange_of(fast, slow_one)
    outcomes = ask_until(exchange, lambda: fast.sizes and slow_one.sizes) + ask_all(exchange, 80)
    exchange.close()
    made = Counter(engine for *_, engine in outcomes)
    assert made["fast"] > made["slow"] > 0


def test_a_batch_is_not_waited_for_longer_than_a_moment():
    exchange = exchange_of(Scripted("fast", batch=64), patience=Patience(gather=0.01))
    began = time.monotonic()
    exchange.ask(picture(1))
    assert 0.01 <= time.monotonic() - began < 5
    exchange.close()


def test_what_is_gathered_may_be_taken_by_others():
    """A consumer that waits for a batch holds nothing."""
    greedy, other = Scripted("greedy", batch=2), Scripted("other")
    exchange = exchange_of(greedy, other, patience=Patience(gather=30))
    first = threading.Thread(target=exchange.ask, args=[picture(1)])
    first.start()  # woken: who gathers
    answer, _ = exchange.ask(picture(2))
    first.join(10)
    assert not first.is_alive() and np.allclose(answer, 0.002)
    exchange.close()


def test_pictures_of_a_batch_have_one_size():
    engine = Scripted("fast", slow(0.01), batch=4)
    exchange = exchange_of(engine)
    with ThreadPoolExecutor(8) as pool:
        sides = [8, 16, 8, 16, 24, 8, 16, 8]
        answers = list(pool.map(lambda side: exchange.ask(picture(5, side))[0].shape[2], sides))
    exchange.close()
    assert answers == sides


def test_a_failing_engine_costs_its_pictures_in_flight(caplog):
    bad, good = Scripted("bad", failing_from(2), batch=4), Scripted("good", slow(0.005))
    exchange = exchange_of(bad, good)
    tally = exchange.tallies[0]
    outcomes = ask_until(exchange, lambda: tally.retired)
    exchange.close()
    assert not errors_in(outcomes)
    assert tally.failures == 3 and tally.given_back <= 3 * 4
    assert tally.pictures + exchange.tallies[1].pictures == len(outcomes)
    assert "3 failures in a row, the last: the device is gone" in tally.retired
    assert "engine bad is retired" in caplog.text


def test_failures_that_are_not_in_a_row_retire_nobody():
    def every_third(call, planes):
        return (failing if call % 3 == 0 else brightness)(call, planes)

    exchange = exchange_of(Scripted("moody", every_third), Scripted("good", slow(0.002)))
    tally = exchange.tallies[0]
    outcomes = ask_until(exchange, lambda: tally.failures > 3)
    exchange.close()
    assert not errors_in(outcomes) and not tally.retired
    assert tally.failures == tally.given_back > 3


def test_a_hanging_engine_is_let_go_and_told_so(caplog):
    gate = Gate(first=1)
    hanging, good = Scripted("hanging", gate, batch=2), Scripted("good", slow(0.001))
    exchange = exchange_of(hanging, good, patience=SHORT)
    outcomes = ask_until(exchange, gate.entered.is_set)
    tally = exchange.tallies[0]
    assert not errors_in(outcomes) and gate.cancelled.wait(10)
    assert tally.failures == 1 and tally.given_back <= 2
    assert re.search(r"engine hanging: no answer within (0\.5|1) s", caplog.text)
    began = time.monotonic()
    exchange.close()  # does not wait for who hangs
    assert time.monotonic() - began < 10
    gate.open()


def test_late_results_are_dropped_and_who_is_back_goes_on():
    gate = Gate(first=0, last=1)
    late, good = Scripted("late", gate), Scripted("good", slow(0.001))
    exchange = exchange_of(late, good, patience=SHORT)
    outcomes = ask_until(exchange, gate.entered.is_set)
    assert not errors_in(outcomes) and not {engine for *_, engine in outcomes} - {"good"}
    gate.open()
    until(lambda: exchange.tallies[0].late == 1)
    again = ask_until(exchange, lambda: exchange.tallies[0].pictures)
    exchange.close()
    assert not errors_in(again) and "late" in {engine for *_, engine in again}
    assert sum(tally.pictures for tally in exchange.tallies) == len(outcomes + again)


def test_an_engine_that_always_is_late_is_retired():
    def when_nobody_waits(call, planes):
        until(lambda: exchange.tallies[0].failures > call)
        return brightness(call, planes)

    late, good = Scripted("late", when_nobody_waits), Scripted("good", slow(0.03))
    exchange = exchange_of(late, good, patience=Patience(SHORT.seconds, failures=2))
    outcomes = ask_until(exchange, lambda: exchange.tallies[0].retired)
    exchange.close()
    assert not errors_in(outcomes) and "2 failures in a row" in exchange.tallies[0].retired


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (lambda call, planes: brightness(call, planes)[:1], "it gave"),
        (lambda call, planes: brightness(call, planes) * np.nan, "not finite"),
        (lambda call, planes: np.zeros((len(planes), 1, 4, 4), np.float32), "expected"),
        (lambda call, planes: None, ""),
    ],
    ids=["too few", "not a number", "another shape", "nothing"],
)
def test_what_is_no_prediction_is_a_failure(behaviour, reason):
    def check(planes, result):
        if result.dtype.kind != "f" or not np.isfinite(result).all():
            raise EngineError("it gave numbers that are not finite")
        if result.shape[2:] != planes.shape[2:]:
            raise EngineError("another shape is expected")

    bad, good = Scripted("bad", behaviour, batch=3), Scripted("good", slow(0.001))
    exchange = exchange_of(bad, good, check=check)
    outcomes = ask_until(exchange, lambda: exchange.tallies[0].failures)
    exchange.close()
    assert not errors_in(outcomes) and reason in exchange.tallies[0].last


def test_what_is_no_exception_is_a_failure_too():
    """Nobody hears of SystemExit on a thread; the picture must not wait for it."""

    def leaving(call, planes):
        raise SystemExit(3)

    exchange = exchange_of(Scripted("leaving", leaving), Scripted("good", slow(0.001)))
    tally = exchange.tallies[0]
    outcomes = ask_until(exchange, lambda: tally.failures)
    exchange.close()
    assert not errors_in(outcomes) and tally.last == "SystemExit(3)"


def test_an_engine_that_leaves_while_it_is_made_is_left_out():
    def make():
        raise SystemExit(3)

    exchange = Exchange(["bad"], [Place(0, make)], Patience())
    with pytest.raises(EngineError, match=r"it cannot be made: SystemExit\(3\)"):
        exchange.ask(picture(1))
    exchange.close()


@pytest.mark.parametrize("batch", [1, 3])
def test_no_engine_writes_to_pictures_that_another_may_need(batch):
    def scribbling(call, planes):
        planes[...] = 7

    bad, good = Scripted("bad", scribbling, batch=batch), Scripted("good", slow(0.001))
    exchange = exchange_of(bad, good)
    outcomes = ask_until(exchange, lambda: exchange.tallies[0].failures)  # answers are right
    exchange.close()
    assert not errors_in(outcomes) and "read-only" in exchange.tallies[0].last


def test_pictures_that_fail_everywhere_tell_how():
    exchange = exchange_of(Scripted("one", failing), Scripted("two", failing), patience=Patience())
    with pytest.raises(EngineError, match=r"one: the device is gone; two|two: .*; one: the d"):
        exchange.ask(picture(1))
    exchange.close()


def test_when_no_engine_is_left_the_rest_is_told_so():
    exchange = exchange_of(Scripted("one", failing_from(3)))
    outcomes = ask_all(exchange, 30, askers=3)
    exchange.close()
    told = [str(error) for error in errors_in(outcomes)]
    assert len(told) == 27 and told[-1] == (
        "no engine is left: one (3 failures in a row, the last: the device is gone)"
    )


def test_a_hanging_engine_that_is_alone_ends_the_run():
    gate = Gate(first=2)
    exchange = exchange_of(Scripted("alone", gate), patience=SHORT)
    outcomes = ask_all(exchange, 30, askers=4)
    exchange.close()
    gate.open()
    told = {str(error) for error in errors_in(outcomes)}
    assert len(errors_in(outcomes)) == 28
    assert told == {"no engine is left: alone (no answer within 0.5 s)"}


def test_sizes_that_a_network_refuses_are_not_its_engines_fault():
    def picky(call, planes):
        if planes.shape[2] == 16:
            raise ShapeError("sides are multiples of 32")
        return brightness(call, planes)

    exchange = exchange_of(Scripted("one", picky))
    for _ in range(9):
        with pytest.raises(ShapeError, match="multiples of 32"):
            exchange.ask(picture(1, 16))
    assert exchange.ask(picture(1))[1] == "one" and not exchange.tallies[0].retired
    exchange.close()


def test_an_engine_that_cannot_be_made_is_left_out():
    def make():
        raise MemoryError("no room on the device")

    good = Scripted("good")
    places = [Place(0, make), Place(1, made_by(good))]
    exchange = Exchange(["bad", "good"], places, Patience())
    outcomes = ask_until(exchange, lambda: exchange.tallies[0].retired)
    exchange.close()
    assert {engine for *_, engine in outcomes} == {"good"}
    assert exchange.tallies[0].retired == "it cannot be made: no room on the device"


def test_an_engine_that_hangs_while_it_is_made_is_let_go(monkeypatch):
    monkeypatch.setattr("pyhades.engines.exchange.FIRST_SECONDS", 0.1)
    opened = threading.Event()

    def make():
        opened.wait(60)
        return brightness

    good = Scripted("good")
    exchange = Exchange(["stuck", "good"], [Place(0, make), Place(1, made_by(good))], SHORT)
    assert {engine for *_, engine in ask_all(exchange, 10)} == {"good"}
    alone = Exchange(["stuck"], [Place(0, make)], SHORT)
    with pytest.raises(EngineError, match=r"no engine is left: stuck \(no answer within 0\.1 s"):
        alone.ask(picture(1))
    for each in (exchange, alone):
        each.close()
    opened.set()


def test_closing_lets_those_go_that_wait(monkeypatch):
    monkeypatch.setattr("pyhades.engines.exchange.PARTING_SECONDS", 0.1)
    gate = Gate()
    exchange = exchange_of(Scripted("hanging", gate))
    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(exchange.ask, picture(n)) for n in range(3)]
        gate.entered.wait(10)
        exchange.close()
        for each in asked:
            with pytest.raises(ClosedError):
                each.result(10)
    with pytest.raises(ClosedError):
        exchange.ask(picture(1))
    gate.open()


def test_who_closes_twice_waits_once(monkeypatch):
    monkeypatch.setattr("pyhades.engines.exchange.PARTING_SECONDS", 0.2)
    gate = Gate()
    exchange = exchange_of(Scripted("hanging", gate))
    outcomes = []
    asker = threading.Thread(target=lambda: outcomes.extend(ask_all(exchange, 1)))
    asker.start()
    assert gate.entered.wait(10)
    exchange.close()
    monkeypatch.setattr("pyhades.engines.exchange.PARTING_SECONDS", 1000)
    exchange.close()
    asker.join(10)
    gate.open()
    assert isinstance(outcomes[0][1], ClosedError)


def test_consumers_begin_with_the_first_picture():
    engine = Scripted("late riser")
    exchange = exchange_of(engine)
    assert not [thread for thread in threading.enumerate() if "late riser" in thread.name]
    assert exchange.ask(picture(1))[1] == "late riser"
    exchange.close()
    assert not [thread for thread in threading.enumerate() if "late riser" in thread.name]
    exchange_of(engine).close()  # of which nobody asked anything


def test_a_process_that_was_stopped_does_not_hang(monkeypatch):
    """Time in which nobody looked is nobody's."""
    gate = Gate(first=1, last=2)
    exchange = exchange_of(Scripted("one", gate), patience=Patience(seconds=5))
    exchange.ask(picture(0))
    asker = threading.Thread(target=exchange.ask, args=[picture(1)])
    asker.start()
    assert gate.entered.wait(10)
    clock = time.monotonic
    monkeypatch.setattr("pyhades.engines.exchange.time.monotonic", lambda: clock() + 3600)
    time.sleep(0.7)
    gate.open()
    asker.join(10)
    exchange.close()
    assert not exchange.tallies[0].failures


def test_patience_follows_what_was_measured():
    patience = Patience()
    assert patience.limit(4, None) == 600 and patience.limit(1, 0.5) == LEAST_SECONDS
    assert patience.limit(8, 30.0) == 600 and Patience(seconds=2).limit(3, 100) == 6
    for wrong in ({"seconds": 0}, {"seconds": "1"}, {"failures": 0}, {"gather": -1}):
        with pytest.raises(ArgumentError):
            Patience(**wrong)


def test_many_askers_and_moody_engines_lose_nothing():
    rng = np.random.default_rng(0)
    moods = rng.integers(0, 12, 4000)

    def moody(call, planes):
        if moods[call] == 0:
            raise RuntimeError("not now")
        if moods[call] == 1:
            return planes[:, :1] * np.nan
        return brightness(call, planes)

    def check(planes, result):
        if not np.isfinite(result).all():
            raise EngineError("nan")

    engines = [Scripted("a", moody, batch=4, lanes=2), Scripted("b", moody), Scripted("c", lanes=2)]
    exchange = exchange_of(*engines, patience=Patience(failures=10**6, gather=0.001), check=check)
    outcomes = ask_all(exchange, 600, askers=24)
    exchange.close()
    made = Counter(engine for _, _, engine in outcomes)
    assert sum(tally.pictures for tally in exchange.tallies) == 600 - len(errors_in(outcomes))
    assert all(made[tally.label] == tally.pictures for tally in exchange.tallies)
    assert sum(tally.given_back for tally in exchange.tallies) > 10
