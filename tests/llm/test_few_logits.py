"""Where few tokens may come, the rest of the output matrix is not read, and nothing changes."""

from __future__ import annotations

import numpy as np
import pytest

from pyhades.llm.engine.request import Request
from pyhades.llm.engine.runner import Piece, Runner
from pyhades.llm.engine.sampling import SamplingParams
from pyhades.llm.engine.scheduler import Scheduler
from pyhades.llm.engine.step_costs import StepCosts
from pyhades.llm.engine.token_filter import words_of
from pyhades.llm.measure.synthetic import random_weights
from pyhades.llm.models import head
from pyhades.llm.models.gpt_oss.sizes import tiny_config

VOCABULARY = 16 * 128 + 5
CONFIG = tiny_config(vocab_size=VOCABULARY)
TEXT = np.random.default_rng(0).integers(0, VOCABULARY, 40).tolist()


@pytest.fixture(scope="module")
def weights():
    return {name: random_weights(CONFIG, name, threads=1) for name in ("exact", "balanced", "fast")}


def words(tokens) -> np.ndarray:
    bits = np.zeros(32 * words_of(VOCABULARY), np.uint8)
    bits[list(tokens)] = 1
    return np.packbits(bits, bitorder="little").view("<u4").astype(np.uint32)


ALLOWED = {
    "one": [7],
    "the last": [VOCABULARY - 1],
    "of a tile": [16, 17, 31],
    "of some tiles": [0, 15, 500, VOCABULARY - 5, VOCABULARY - 2],
    "too many": list(range(0, VOCABULARY, 100)),
}
IS_FEW = {"one", "the last", "of a tile", "of some tiles"}


@pytest.mark.parametrize("precision", ["exact", "balanced", "fast"])
def test_logits_are_those_of_the_whole_matrix_to_the_bit(weights, precision, tier):
    runner = Runner(CONFIG, weights[precision], 128, 4, 1, isa=tier)
    assert runner.few_logits._head.parts == (1, 4)
    try:
        for wanted in (1, 3):
            for name, tokens in ALLOWED.items():
                given = []
                for allowed in (None, words(tokens)):
                    sequences = [runner.cache.sequence() for _ in range(wanted)]
                    pieces = [Piece(s, TEXT[i:30]) for i, s in enumerate(sequences)]
                    runner.logits[:] = np.nan
                    before = runner.few_logits.steps
                    rows = runner.run(pieces, allowed)
                    given.append(np.concatenate(rows)[:, tokens])
                    used = runner.few_logits.steps - before
                    assert used == (allowed is not None and name in IS_FEW)
                    for sequence in sequences:
                        runner.cache.free(sequence)
                np.testing.assert_array_equal(*given)
    finally:
        runner.close()


class Few:
    """Allows some tokens, others after each."""

    finished = False

    def __init__(self, *, breaks: bool = False) -> None:
        self.count = 0
        self.breaks = breaks

    def fill(self, mask) -> bool:
        if self.breaks and self.count == 2:
            raise ValueError("broken")
        mask[:] = words(range(20 * (self.count % 60), 20 * (self.count % 60) + 9))
        return self.count % 5 != 4  # where anything goes, the mask means nothing

    def accept(self, token: int) -> None:
        assert self.count % 5 == 4 or token // 20 == self.count % 60
        self.count += 1


def request(number: int, factory, **params) -> Request:
    sampling = SamplingParams(seed=number, max_tokens=12, **params)
    return Request(number, tuple(TEXT[number:]), sampling, 12, frozenset(), filter_factory=factory)


def run(weights, requests, monkeypatch=None):
    """Tokens and logprobs of all answers, errors, and how many steps read a part of the matrix."""
    if monkeypatch is not None:
        monkeypatch.setattr(head, "SHARES", ())
    runner = Runner(CONFIG, weights["balanced"], 128, 8, 1)
    runner.logits[:] = np.nan  # of tokens that nobody may have
    scheduler = Scheduler(runner, StepCosts([1, 512], [1e-6, 1e-3]))
    given: dict[tuple[int, int], list] = {}
    try:
        for one in requests:
            scheduler.add(one)
        while scheduler.has_work:
            events = scheduler.step()
            for event in events:
                key = event.answer.request.number, event.answer.index
                what = (event.token, event.logprob) if event.error is None else repr(event.error)
                given.setdefault(key, []).append(what)
            ended = [e for e in events if e.error is not None or e.answer.finish_reason is not None]
            scheduler.drop([event.answer for event in ended])
        return given, runner.few_logits.steps
    finally:
        runner.close()


@pytest.mark.parametrize("temperature", [0, 1])
def test_answers_are_the_same(weights, temperature, monkeypatch):
    requests = [request(n, Few, temperature=temperature, n=1 + n % 2) for n in range(3)]
    requests.append(request(3, lambda: Few(breaks=True), temperature=temperature))
    few, steps = run(weights, requests)
    assert steps > 5
    assert few[3, 0][-1] == "ValueError('broken')"
    assert run(weights, requests, monkeypatch) == (few, 0)


def test_one_who_may_have_any_token_needs_all_logits(weights, monkeypatch):
    requests = [request(0, Few), request(1, None)]
    together, steps = run(weights, requests)
    assert steps == 0
    assert run(weights, requests, monkeypatch) == (together, 0)


def test_logprobs_need_all_logits(weights, monkeypatch):
    given, steps = run(weights, [request(0, Few, logprobs=2)])
    assert steps == 0
    assert run(weights, [request(0, Few, logprobs=2)], monkeypatch) == (given, 0)
