"""Speculation on a simulated machine: it gains where text is copied, and never loses much."""

from __future__ import annotations

import pytest

from pyhades.llm.speculation.drafter import Drafter
from pyhades.llm.speculation.past import PastAnswers
from pyhades.llm.speculation.speculation import Speculation
from tests.llm.speculation.simulated import (
    LARGE,
    Asked,
    Machine,
    Scripted,
    answers_of,
    copied,
    text,
    write,
)

SMALL = [seconds / 130 for seconds in LARGE]
"""Steps of less than a millisecond, of which looking for drafts is a large part."""
TOKENS = 200


def gain(machine: Machine, batches, speculation=None) -> tuple[float, Speculation]:
    """How many times as many tokens per second, after answers have been written in batches."""
    speculation = speculation or Speculation(clock=machine.clock)
    speculation.begin(machine.costs.seconds)
    plain = 0.0
    for answers in batches:
        write(machine, speculation, answers)
        plain += machine.plain(len(answers)) * (TOKENS - 1)
    return plain / machine.now, speculation


def batches(count: int, share: float, rounds: int = 3):
    return [answers_of(count, share, TOKENS, seed, client=str(seed)) for seed in range(rounds)]


@pytest.mark.parametrize("sharing", [1.0, 0.6])
@pytest.mark.parametrize(
    ("count", "share", "least"),
    [(1, 1.0, 3.0), (4, 1.0, 3.0), (8, 1.0, 2.5), (1, 0.9, 1.2), (4, 0.9, 1.5), (8, 0.7, 1.15)],
)
def test_copies_are_gained_from(count, share, least, sharing):
    times, speculation = gain(Machine(noise=0.0, sharing=sharing), batches(count, share))
    assert times >= least
    counts = speculation.counts()
    assert counts.accepted and counts.seconds_gained > 0
    if share == 1:
        assert counts.accepted >= 0.95 * counts.drafted


@pytest.mark.parametrize("share", [0.0, 0.2, 0.4])
@pytest.mark.parametrize("count", [1, 4, 8])
@pytest.mark.parametrize("seconds", [LARGE, SMALL], ids=["large", "small"])
@pytest.mark.parametrize("wrong", [1.0, 0.5, 2.0], ids=["known", "too little", "too much"])
def test_no_more_than_two_percent_are_lost(share, count, seconds, wrong):
    """Even where costs are believed to be half of what they are."""
    machine = Machine(seconds, noise=0.0, wrong=wrong)
    times, speculation = gain(machine, batches(count, share))
    assert times >= 0.98
    assert speculation.counts().seconds_drafting <= 0.02 * machine.now


def test_drafts_that_are_wrong_although_they_look_right():
    """Texts that repeat, but go on otherwise each time."""
    unit = text(1, 40)
    source = [token for n in range(8) for token in (*unit[: n + 5], 60_000 + n)]
    script = [token for n in range(40) for token in (*unit[n % 9 : n % 9 + 4], 70_000 + n)][:TOKENS]
    answers = [[Scripted(Asked(tuple(source), TOKENS), script)] for _ in range(3)]
    times, _ = gain(Machine(noise=0.0), answers, Speculation(past_tokens=0))
    assert times >= 0.98


@pytest.mark.parametrize("optimistic", [False, True])
def test_a_text_that_stops_copying(optimistic):
    """What was gained is not lost again."""
    source = text(3, 300)
    script = [*source[:100], *text(4, 100)]
    machine = Machine(noise=0.0)
    speculation = Speculation(is_optimistic=optimistic, clock=machine.clock)
    times, _ = gain(machine, [[Scripted(Asked(tuple(source), TOKENS), script)]], speculation)
    assert times > 1.3


def test_a_prediction_is_followed_and_found_again():
    prediction = text(5, TOKENS)
    script = copied(prediction, 0.95, TOKENS)
    asked = Asked(tuple(text(6, 30)), TOKENS, drafts=(tuple(prediction),))
    times, speculation = gain(Machine(noise=0.0), [[Scripted(asked, script)] for _ in range(2)])
    assert times > 1.3
    assert speculation.counts().by_source["prediction"].accepted > TOKENS / 2


def test_earlier_answers_serve_the_same_client_only():
    script = text(7, TOKENS)

    def answers(client):
        return [[Scripted(Asked((1, 2, 3), TOKENS, client=client), script)]]

    speculation = Speculation()
    machine = Machine(noise=0.0)
    gain(machine, answers("a"), speculation)
    assert speculation.counts().drafted == 0
    gain(machine, answers("b"), speculation)
    assert speculation.counts().drafted == 0
    gain(machine, answers("a"), speculation)
    assert speculation.counts().by_source["past"].accepted > TOKENS / 2


def test_none_of_the_past():
    script = text(7, TOKENS)
    speculation = Speculation(past_tokens=0)
    for _ in range(2):
        answer = Scripted(Asked((1, 2, 3), TOKENS), script)
        gain(Machine(noise=0.0), [[answer]], speculation)
    assert speculation.counts().drafted == 0


def test_headers_are_known_from_the_start():
    header = (50_001, 50_002, 50_003, 50_004, 50_005)
    script = [*text(8, 30), *header, *text(9, 40), *header, *text(10, TOKENS - 80)]
    asked = Asked(tuple(text(11, 20)), TOKENS, headers=(header,))
    _, speculation = gain(Machine(noise=0.0), [[Scripted(asked, script)]])
    assert speculation.counts().by_source["header"].accepted >= 4


def test_steps_without_room_try_nothing():
    machine = Machine(noise=0.0)
    speculation = Speculation(clock=machine.clock)
    speculation.begin(machine.costs.seconds)
    [answer] = answers_of(1, 1.0, TOKENS)
    for _ in range(20):
        assert not speculation.propose([answer], 1, 0, 0)
        answer.tokens += answer.left[:1]
        speculation.learn(0.057)
    assert speculation.counts().drafted == 0


def test_wanted():
    assert Speculation.wanted(False) is None
    assert isinstance(Speculation.wanted(None), Speculation)
    assert isinstance(Speculation.wanted(True), Speculation)


@pytest.mark.parametrize(
    ("asked", "seconds", "is_asked"),
    [(None, 1e-3, False), (None, 3e-3, True), (True, 1e-3, True)],
)
def test_steps_that_are_short_try_none_unless_that_is_wanted(asked, seconds, is_asked):
    speculation = Speculation.wanted(asked)
    assert speculation is not None
    speculation.begin(lambda rows, looks: seconds)
    assert speculation.is_of_use is is_asked
    assert speculation.counts().is_paused is not is_asked


@pytest.mark.parametrize("count", [1, 8])
def test_what_is_spent_between_steps_is_accounted_for(monkeypatch, count):
    """On learning from what came, and on keeping it for later answers."""
    machine = Machine(noise=0.0)

    def slow(call, seconds):
        def slowly(*arguments):
            machine.now += seconds
            return call(*arguments)

        return slowly

    unit = machine.plain(1)
    monkeypatch.setattr(Drafter, "learn", slow(Drafter.learn, unit / 10))
    monkeypatch.setattr(PastAnswers, "add", slow(PastAnswers.add, unit / 2))
    times, speculation = gain(machine, batches(count, 0.4, rounds=8))
    assert times >= 0.97
    assert speculation.counts().pauses > 0
