"""Answers with drafts are those without: tokens, log-probabilities, ends, to the bit."""

from __future__ import annotations

import pytest

from pyhades.llm.engine.guided import guided
from pyhades.llm.engine.runner import Piece, Runner
from tests.llm.speculation.guessing import (
    CONFIG,
    CONTEXT,
    END,
    Guessing,
    guesses,
    is_free,
    request,
    run,
    scheduler_of,
    tokens_of,
    weights_of,
)

WAYS = ["right", "wrong", "any", "torn", "ended"]


@pytest.fixture(scope="module")
def weights():
    return weights_of()


@pytest.fixture
def open_runner(weights):
    runners = []

    def open_one(threads=1, sequences=8, **options):
        options.setdefault("step_tokens", 64)
        runner = Runner(CONFIG, weights, CONTEXT, sequences, threads, **options)
        runners.append(runner)
        return runner

    yield open_one
    for runner in runners:
        runner.close()


class Odd:
    """Allows tokens whose id is odd, and every fifth time the sevens only; ends after some."""

    def __init__(self, tokens: int = 33) -> None:
        self.accepted: list[int] = []
        self._tokens = tokens

    @property
    def finished(self) -> bool:
        return len(self.accepted) >= self._tokens

    def fill(self, words):
        words[:] = 0xAAAAAAAA
        if len(self.accepted) % 5 == 4:
            words[:] = 0
            words[0] = 1 << 7
        return len(self.accepted) % 3 != 0

    def accept(self, token):
        self.accepted.append(token)


class Sevens:
    """Every fourth token is followed by two sevens."""

    def __init__(self) -> None:
        self.count = 0

    @property
    def is_over(self) -> bool:
        return False

    def after(self, token: int) -> list[int]:
        self.count += 1
        return [7, 7] if self.count % 6 == 4 else []


PENALTIES = {"repetition_penalty": 1.3, "presence_penalty": 0.5, "frequency_penalty": 0.7}
REQUESTS = [
    request(1, 5, 60, temperature=0, logprobs=2),
    request(2, 100, 40, temperature=0.7, top_k=20, logprobs=3, n=2),
    request(3, 17, 70, logprobs=0, **PENALTIES),
    request(4, 1, 3),
    request(5, 180, 76, temperature=1.5, top_p=0.9, logit_bias={7: 3.0, 9: -5.0}, logprobs=1),
    request(6, 64, 64, min_p=0.05, filter_factory=Odd, logprobs=1),
    request(7, 16, 1),
    request(8, 33, 50, n=2, filter_factory=guided(Sevens), **PENALTIES),
    request(9, 31, 100, temperature=0.9, stops=range(0, 320, 9), logprobs=0),
    request(10, 40, 90, temperature=0, stops=(END, *range(1, 300, 17))),
]  # fmt: skip


@pytest.fixture(scope="module")
def alone(weights):
    runner = Runner(CONFIG, weights, CONTEXT, 8, 1, step_tokens=64)
    came = {}
    for one in REQUESTS:
        came |= run(scheduler_of(runner), [one])
    runner.close()
    return came


def guessing(alone, way, seed=0) -> Guessing:
    return Guessing(guesses(tokens_of(alone), seed)[way])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("threads", [1, 2])
def test_one_answer_at_a_time(open_runner, alone, way, threads):
    runner, speculation = open_runner(threads), guessing(alone, way)
    for one in REQUESTS:
        came = run(scheduler_of(runner, speculation), [one])
        assert came == {key: alone[key] for key in came}
    assert is_free(runner)
    counts = speculation.counts()
    assert counts.drafted > 0
    assert (counts.accepted == counts.drafted) == (way == "right")
    assert way not in ("right", "torn") or counts.accepted > 100


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("prefix_cache", [True, False])
@pytest.mark.parametrize("cache_tokens", [None, 600, CONTEXT])
def test_in_company_and_after_preemption(open_runner, alone, way, prefix_cache, cache_tokens):
    runner = open_runner(prefix_cache=prefix_cache, cache_tokens=cache_tokens)
    for _ in range(2):  # the second time, prompts are found
        scheduler = scheduler_of(runner, guessing(alone, way))
        assert run(scheduler, REQUESTS) == alone
        assert is_free(runner)


@pytest.mark.parametrize("way", ["right", "torn"])
def test_preemption_again_and_again(open_runner, alone, way):
    runner = open_runner()
    scheduler = scheduler_of(runner, guessing(alone, way))
    step, count = scheduler.step, 0

    def interrupted():
        nonlocal count
        count += 1
        holding = scheduler.roster.holding
        if count % 3 == 0 and holding:
            scheduler.preemption.preempt(holding[count % len(holding)])
        return step()

    scheduler.step = interrupted
    assert run(scheduler, REQUESTS) == alone
    assert scheduler.preemptions > 3


@pytest.mark.parametrize("way", ["torn", "any"])
@pytest.mark.parametrize("seed", range(12))
def test_many_seeds(open_runner, way, seed):
    runner = open_runner()
    ones = [
        request(100 * seed + i, 9 * i + 1, 80, temperature=t, stops=(END, 5), logprobs=1, **more)
        for i, (t, more) in enumerate([(0.3, {}), (0.8, PENALTIES), (1.2, {"n": 2}), (0.0, {})])
    ]
    alone = run(scheduler_of(runner), ones)
    assert run(scheduler_of(runner, guessing(alone, way, seed)), ones) == alone


@pytest.mark.parametrize("way", ["right", "torn"])
def test_int8_keys_and_values(open_runner, way):
    ones = [one for one in REQUESTS if one.number in (1, 2, 5)]
    plain = open_runner(kv_format="int8")
    alone = run(scheduler_of(plain), ones)
    runner = open_runner(kv_format="int8")
    assert run(scheduler_of(runner, guessing(alone, way)), ones) == alone


def test_an_answer_that_nobody_wants_any_more(open_runner, alone):
    """Others go on as if it had never been, and it leaves nothing behind."""
    runner = open_runner()
    scheduler = scheduler_of(runner, guessing(alone, "torn"))
    ones = [one for one in REQUESTS if one.number in (1, 2, 3, 5)]
    answers = [answer for one in ones for answer in scheduler.add(one)]
    came = {}
    for step in range(400):
        for event in scheduler.step():
            key = event.answer.request.number, event.answer.index
            came.setdefault(key, []).append((event.token, event.logprob, event.finish_reason))
        if step == 6:
            scheduler.drop([answers[0], answers[2]])
        scheduler.drop({a for a in answers if a.finish_reason is not None})
        if not scheduler.has_work:
            break
    for key, events in came.items():
        whole = alone[key]
        assert events == (whole[: len(events)] if key in ((1, 0), (2, 1)) else whole)
    assert is_free(runner)


class Breaking(Odd):
    """Fails when it is told of its twelfth token."""

    def accept(self, token):
        super().accept(token)
        if len(self.accepted) == 12:
            raise ValueError("twelve")


def test_a_filter_that_fails_among_drafts(open_runner, alone):
    runner = open_runner()
    broken = request(6, 64, 64, min_p=0.05, filter_factory=Breaking, logprobs=1)
    scheduler = scheduler_of(runner, guessing(alone, "right"))
    other = REQUESTS[0]
    answers = [*scheduler.add(broken), *scheduler.add(other)]
    events = []
    while scheduler.has_work:
        new = scheduler.step()
        events += new
        scheduler.drop({e.answer for e in new if e.finish_reason is not None or e.error})
    of_broken = [event for event in events if event.answer is answers[0]]
    assert [e.token for e in of_broken[:-1]] == tokens_of(alone)[6, 0][:11]
    assert str(of_broken[-1].error) == "twelve"
    assert [e.token for e in events if e.answer is answers[1]] == tokens_of(alone)[1, 0]
    assert is_free(runner)


@pytest.mark.parametrize("kv_format", ["bf16", "int8"])
@pytest.mark.parametrize("length", [1, 15, 16, 17, 40, 100])
@pytest.mark.parametrize("kept", [1, 2, 9, 16])
def test_what_was_dropped_was_never_there(open_runner, kv_format, length, kept):
    """Logits of what follows, and what the tree finds, are the same to the bit."""
    runner = open_runner(kv_format=kv_format)
    tokens = request(length, length + 40, 1).tokens
    rest = tokens[length : length + kept]
    rows = []
    for drafts in ((), tuple((token + 3) % 300 for token in range(16 - kept))):
        runner.cache.reset()
        address = runner.cache.address(tokens)
        runner.cache.prefixes.look_up(address)
        sequence = runner.cache.begin(address)
        for first in range(0, length, 50):
            runner.run([Piece(sequence, tokens[first : min(first + 50, length)], 0)])
        guessed = (*rest[1:], *drafts)
        piece = Piece(sequence, (rest[0], *guessed), 1 + len(guessed), len(guessed))
        logits = [runner.run([piece])[0][:kept].copy()]
        if guessed:
            runner.keep(piece, kept)
        assert sequence.length == length + kept
        for place in range(length + kept, length + 40):
            logits.append(runner.run([Piece(sequence, tokens[place : place + 1])])[0].copy())
        runner.cache.free(sequence)
        again = runner.cache.address(tokens)
        runner.cache.prefixes.look_up(again)
        rows.append(([one.tobytes() for one in logits], again.read, len(runner.cache.prefixes)))
    assert rows[0] == rows[1]
