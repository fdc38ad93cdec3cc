"""Answers do not depend on company, chunks and preemption, and no block is ever lost."""

from __future__ import annotations

import dataclasses
import random
from dataclasses import replace
from itertools import count

import numpy as np
import pytest

from pyhades.llm.engine import policy
from pyhades.llm.engine.guided import guided
from pyhades.llm.engine.request import Request, rows_request
from pyhades.llm.engine.runner import Runner
from pyhades.llm.engine.sampling import SamplingParams
from pyhades.llm.engine.scheduler import Scheduler
from pyhades.llm.engine.step_costs import StepCosts
from pyhades.llm.measure.synthetic import random_weights
from pyhades.llm.models.gpt_oss.sizes import tiny_config

CONFIG = tiny_config(vocab_size=320)
CONTEXT = 256


class Costs(StepCosts):
    """As stated, whatever steps take here."""

    def learn(self, rows: int, looks: int, seconds: float) -> None:
        pass


FAST = Costs([1, 512], [1e-6, 1e-3])


@pytest.fixture(scope="module")
def weights():
    return random_weights(CONFIG, "balanced", threads=1)


@pytest.fixture
def open_runner(weights):
    runners = []

    def open_one(sequences=8, cache_tokens=None, step_tokens=64):
        runner = Runner(
            CONFIG, weights, CONTEXT, sequences, 1, step_tokens=step_tokens,
            cache_tokens=cache_tokens,
        )  # fmt: skip
        runners.append(runner)
        return runner

    yield open_one
    for runner in runners:
        runner.close()


def request(seed: int, length: int, tokens: int, n: int = 1, client: str = "") -> Request:
    ids = np.random.default_rng(seed).integers(0, 300, length).tolist()
    params = SamplingParams(seed=seed, max_tokens=tokens, n=n)
    return Request(seed, tuple(ids), params, tokens, frozenset(), client)


def scheduler_of(runner, costs=None, **options) -> Scheduler:
    """Its clock counts readings, so that decisions do not depend on the machine."""
    readings = count()
    return Scheduler(runner, costs or FAST, clock=lambda: 0.001 * next(readings), **options)


def free(runner) -> bool:
    return all(pool.free_blocks == pool.blocks for pool in runner.cache.pools.values())


def run(scheduler, requests=(), most_steps=10_000):
    """Tokens of every answer, by number of the request and of the answer."""
    tokens: dict[tuple[int, int], list[int]] = {}
    for one in requests:
        scheduler.add(one)
    for _ in range(most_steps):
        if not scheduler.has_work:
            return tokens
        events = scheduler.step()
        for event in events:
            assert event.error is None
            key = event.answer.request.number, event.answer.index
            tokens.setdefault(key, []).append(event.token)
        scheduler.drop([e.answer for e in events if e.answer.finish_reason is not None])
    raise AssertionError("it never ends")


REQUESTS = [
    request(1, 5, 30), request(2, 100, 20), request(3, 17, 40, n=3), request(4, 1, 3),
    request(5, 180, 60), request(6, 64, 64), request(7, 16, 1), request(8, 33, 50, n=2),
]  # fmt: skip


@pytest.fixture
def alone(open_runner):
    runner = open_runner()
    return {
        key: tokens for one in REQUESTS for key, tokens in run(scheduler_of(runner), [one]).items()
    }


@pytest.mark.parametrize("cache_tokens", [None, 600, CONTEXT])
@pytest.mark.parametrize("step_tokens", [16, 64])
def test_company_chunks_and_preemption_change_no_token(
    open_runner, alone, cache_tokens, step_tokens
):
    runner = open_runner(cache_tokens=cache_tokens, step_tokens=step_tokens)
    scheduler = scheduler_of(runner)
    assert run(scheduler, REQUESTS) == alone
    assert free(runner)


class Sevens:
    """Every fourth token is followed by two sevens, and five such pairs are an answer."""

    def __init__(self) -> None:
        self.count = 0
        self.pairs = 0

    @property
    def is_over(self) -> bool:
        return self.pairs == 5

    def after(self, token: int) -> list[int]:
        self.count += 1
        self.pairs += self.count % 6 == 0
        return [7, 7] if self.count % 6 == 4 else []


@pytest.mark.parametrize("cache_tokens", [None, 600, CONTEXT])
def test_tokens_that_an_answer_has_to_have(open_runner, cache_tokens):
    """They are the same in company and after preemption, and an end is an end."""
    requests = [
        dataclasses.replace(one, filter_factory=guided(Sevens)) if one.number % 2 else one
        for one in REQUESTS
    ]
    alone: dict[tuple[int, int], list[int]] = {}
    for one in requests:
        alone |= run(scheduler_of(open_runner()), [one])
    for (number, _), tokens in alone.items():
        if number % 2:
            at = range(len(tokens))
            assert all(tokens[i] == 7 for i in at if i % 6 in (4, 5))
            assert len(tokens) == min(
                30, next(r for r in requests if r.number == number).max_tokens
            )
    runner = open_runner(cache_tokens=cache_tokens)
    assert run(scheduler_of(runner), requests) == alone
    assert free(runner)


def test_answers_that_outgrow_the_cache_are_the_same(open_runner):
    """Six that need twice the blocks there are: the youngest give way, again and again."""
    requests = [request(seed, 8, 120, n=1 + seed % 2) for seed in range(6)]
    plenty = run(scheduler_of(open_runner(sequences=9)), requests)
    runner = open_runner(sequences=9, cache_tokens=CONTEXT)
    scheduler = scheduler_of(runner)
    assert run(scheduler, requests) == plenty
    assert scheduler.preemptions >= 3
    assert free(runner)


def test_requests_that_come_and_go_at_random(open_runner, alone):
    """Some are dropped in the middle; the others are what they are alone."""
    dice = random.Random(0)
    runner = open_runner(cache_tokens=400)
    scheduler = scheduler_of(runner)
    live: dict[int, list] = {}
    tokens: dict[object, list[int]] = {}
    for _ in range(600):
        if dice.random() < 0.15 and len(live) < 6:
            answers = scheduler.add(dice.choice(REQUESTS))
            live[id(answers[0])] = answers
            tokens.update({answer: [] for answer in answers})
        if live and dice.random() < 0.03:
            scheduler.drop(live.pop(dice.choice(list(live))))
        events = scheduler.step()
        for event in events:
            tokens[event.answer].append(event.token)
        done = [event.answer for event in events if event.answer.finish_reason is not None]
        scheduler.drop(done)
        for answer in done:
            assert tokens[answer] == alone[answer.request.number, answer.index]
        live = {
            key: answers
            for key, answers in live.items()
            if any(answer.finish_reason is None for answer in answers)
        }
    assert sum(len(t) for t in tokens.values()) > 500
    for answers in live.values():
        scheduler.drop(answers)
    assert not scheduler.has_work
    assert free(runner)


def test_answers_get_a_token_in_every_step_while_a_long_prompt_is_read(open_runner):
    """Of 200 tokens, where a step has time for twenty."""
    runner = open_runner()
    each = policy.WRITING_SECONDS / 20
    scheduler = scheduler_of(runner, Costs([1, 512], [each, 512 * each]))
    [writer] = scheduler.add(request(1, 4, 60))
    scheduler.step()
    [reader] = scheduler.add(request(2, 200, 3))
    steps = 0
    while reader.sequence.length < 200:
        before = reader.sequence.length
        written = writer.written
        scheduler.step()
        steps += 1
        assert writer.written == written + 1
        assert reader.sequence.length - before <= 20
    assert steps >= 10


def test_with_nobody_writing_steps_are_longer(open_runner):
    runner = open_runner(step_tokens=256)
    scheduler = scheduler_of(runner, Costs([1, 512], [0.01, 5.12]))
    [reader] = scheduler.add(request(2, 200, 3))
    scheduler.step()
    assert reader.sequence.length == policy.READING_SECONDS / 0.01


def test_suspended_answers_wait_and_hold_up_nobody(open_runner, alone):
    runner = open_runner(cache_tokens=CONTEXT)
    suspended = set()
    scheduler = scheduler_of(runner, is_suspended=lambda answer: answer.request.number in suspended)
    scheduler.add(REQUESTS[4])
    for _ in range(20):
        scheduler.step()
    suspended.add(5)
    assert not scheduler.has_work
    assert run(scheduler, [REQUESTS[1]]) == {(2, 0): alone[2, 0]}, "it needs the other's blocks"
    suspended.clear()
    [(key, tokens)] = run(scheduler).items()
    assert tokens == alone[key][-len(tokens) :]
    assert free(runner)


def test_a_client_without_any_room_gets_some(open_runner):
    runner = open_runner(sequences=4)
    scheduler = scheduler_of(runner)
    for seed in range(6):
        scheduler.add(request(seed, 5, 100, client="greedy"))
    for _ in range(5):
        scheduler.step()
    [mine] = scheduler.add(request(20, 5, 10, client="modest"))
    for _ in range(3):
        scheduler.step()
    assert mine.written
    assert scheduler.preemptions == 1


def test_a_client_without_any_blocks_gets_some(open_runner):
    """Before those who hold them all have come to an end; what gave way is the same as alone."""
    greedy = [request(seed, 5, 120, client="greedy") for seed in range(8)]
    runner = open_runner(sequences=16, cache_tokens=CONTEXT)
    alone = run(scheduler_of(runner), greedy)
    scheduler = scheduler_of(runner)
    tokens = {(one.number, 0): [] for one in greedy}
    for one in greedy:
        scheduler.add(one)
    for step in range(10_000):
        if step == 50:
            [mine] = scheduler.add(request(20, 100, 10, client="modest"))
            before = scheduler.preemptions
        events = scheduler.step()
        for event in events:
            tokens.setdefault((event.answer.request.number, 0), []).append(event.token)
        scheduler.drop([e.answer for e in events if e.answer.finish_reason is not None])
        if step == 50 + 8:
            assert mine.written
            assert before < scheduler.preemptions < before + 8, "no more than it takes"
        if not scheduler.has_work:
            break
    assert len(tokens.pop((20, 0))) == 10
    assert tokens == alone
    assert free(runner)


ROWS = rows_request(REQUESTS[4].tokens, CONTEXT, 320)


def rows_of(scheduler, *, preempted_after=()) -> np.ndarray:
    """All rows of what was added; its answer gives way after some steps."""
    pieces = []
    for step in range(1000):
        if not scheduler.has_work:
            return np.concatenate(pieces)
        events = scheduler.step()
        pieces += [event.rows for event in events if event.rows is not None]
        scheduler.drop([e.answer for e in events if e.answer.finish_reason is not None])
        if step in preempted_after:
            scheduler.preemption.preempt(scheduler.roster.holding[-1])
    raise AssertionError("it never ends")


def test_rows_come_in_company(open_runner):
    runner = open_runner()
    scheduler = scheduler_of(runner)
    scheduler.add(REQUESTS[0])
    scheduler.add(ROWS)
    together = rows_of(scheduler)
    scheduler.add(ROWS)
    np.testing.assert_array_equal(together, rows_of(scheduler))
    assert together.shape == (180, 320)


def test_rows_come_once_whoever_gives_way(open_runner):
    runner = open_runner(step_tokens=16)
    scheduler = scheduler_of(runner)
    scheduler.add(ROWS)
    expected = rows_of(scheduler)
    scheduler.add(ROWS)
    np.testing.assert_array_equal(rows_of(scheduler, preempted_after={2, 4, 11}), expected)
    assert free(runner)


def test_what_is_wrong_with_one_answer_ends_that_one(open_runner, alone):
    runner = open_runner()
    scheduler = scheduler_of(runner)
    forbidden = SamplingParams(logit_bias={i: -np.inf for i in range(320)})
    [bad] = scheduler.add(Request(99, (1, 2), forbidden, 5, frozenset()))
    scheduler.add(REQUESTS[0])
    events = scheduler.step()
    [failed] = [event for event in events if event.error is not None]
    assert failed.answer is bad
    scheduler.drop([bad])
    [(_, tokens)] = run(scheduler).items()
    assert tokens == alone[1, 0][-len(tokens) :]


class OnlyEven:
    """Allows even tokens, seven of them."""

    def __init__(self):
        self.count = 0

    @property
    def finished(self):
        return self.count == 7

    def fill(self, words):
        words[:] = 0x55555555
        return True

    def accept(self, token):
        assert token % 2 == 0
        self.count += 1


@pytest.mark.parametrize("cache_tokens", [None, CONTEXT])
def test_a_filter_goes_with_each_answer(open_runner, alone, cache_tokens):
    runner = open_runner(cache_tokens=cache_tokens)
    scheduler = scheduler_of(runner)
    limited = [replace(request(90 + n, 40, 50, n=n), filter_factory=OnlyEven) for n in (1, 3)]
    tokens = run(scheduler, [limited[0], *REQUESTS, limited[1]])
    for key, written in tokens.items():
        if key[0] >= 90:
            assert len(written) == 7 and all(token % 2 == 0 for token in written)
        else:
            assert written == alone[key]
    assert free(runner)


def test_costs_follow_what_steps_take():
    costs = StepCosts([1, 8, 64], [0.1, 0.2, 0.9])
    for _ in range(100):
        costs.learn(8, 0, 0.4)
    assert costs.seconds(8) == pytest.approx(0.4, rel=0.05)
    assert costs.seconds(64) >= costs.seconds(8) >= costs.seconds(1)
    before = costs.seconds(8)
    costs.learn(8, 0, 1000.0)  # the machine slept
    assert costs.seconds(8) < 1.3 * before
    assert "8: " in repr(costs)
