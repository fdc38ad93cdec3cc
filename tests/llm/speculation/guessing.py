"""Drafts from whatever a test guesses, in place of what speculation would decide."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from pyhades.llm.engine.answer import Answer
from pyhades.llm.engine.request import Request
from pyhades.llm.engine.runner import Runner
from pyhades.llm.engine.sampling import SamplingParams
from pyhades.llm.engine.scheduler import Scheduler
from pyhades.llm.engine.step_costs import StepCosts
from pyhades.llm.measure.synthetic import random_weights
from pyhades.llm.models.gpt_oss.sizes import tiny_config
from pyhades.llm.speculation.acceptance import Key
from pyhades.llm.speculation.sources import Draft
from pyhades.llm.speculation.speculation import MOST_DRAFTS, Speculation

CONFIG = tiny_config(vocab_size=320)
CONTEXT = 256
END = 311
Guess = Callable[[Answer], Sequence[int]]
Key_ = tuple[int, int]


class Costs(StepCosts):
    """As stated, whatever steps take here."""

    def learn(self, rows: int, looks: int, seconds: float) -> None:
        pass


FAST = Costs([1, 512], [1e-6, 1e-3])


class Guessing(Speculation):
    """Tries what a test guesses, as far as there is room."""

    def __init__(self, guess: Guess, source="prediction") -> None:
        super().__init__()
        self._guess = guess
        self._source = source

    is_paused = False

    def propose(self, writers, rows, looks, room, readers=()):
        step = self._step = self._begun(writers, rows, looks)
        for writer in writers:
            request = writer.request
            left = len(request.tokens) + request.max_tokens - len(writer.tokens) - 1
            guess = tuple(self._guess(writer))[: max(min(left, room, MOST_DRAFTS), 0)]
            if guess:
                room -= len(guess)
                keys = (Key(self._source),) * len(guess)
                step.tried[writer] = Draft(self._source, guess, keys)
        return dict(step.tried)


def guesses(known: dict[Key_, list[int]], seed: int = 0) -> dict[str, Guess]:
    """Ways to guess, given the answers."""
    random = np.random.default_rng(seed)

    def right(answer: Answer) -> list[int]:
        return known[answer.request.number, answer.index][answer.written :]

    def wrong(answer: Answer) -> list[int]:
        return [(token + 1) % 300 for token in right(answer)] or [5]

    def any_(answer: Answer) -> list[int]:
        return random.integers(0, 320, random.integers(0, 16)).tolist()

    def torn(answer: Answer) -> list[int]:
        return [t if random.random() < 0.8 else 7 for t in right(answer)][: random.integers(0, 16)]

    def ended(answer: Answer) -> list[int]:
        tokens = right(answer)
        place = random.integers(0, min(len(tokens), 8) + 1)
        return [*tokens[:place], END, *tokens[place:]]

    return {"right": right, "wrong": wrong, "any": any_, "torn": torn, "ended": ended}


def weights_of():
    """Of the model that answers here."""
    return random_weights(CONFIG, "balanced", threads=1)


def request(
    seed: int, length: int, tokens: int, stops=(), filter_factory=None, **params
) -> Request:
    """A prompt of random tokens."""
    ids = np.random.default_rng(seed).integers(0, 300, length).tolist()
    sampling = SamplingParams(**{"seed": seed, "max_tokens": tokens} | params)
    return Request(
        seed, tuple(ids), sampling, tokens, frozenset(stops), filter_factory=filter_factory
    )


def scheduler_of(runner: Runner, speculation=None, costs=FAST, **options) -> Scheduler:
    return Scheduler(runner, costs, speculation=speculation, **options)


def is_free(runner: Runner) -> bool:
    """Whether every block has been given back."""
    return all(pool.free_blocks == pool.blocks for pool in runner.cache.pools.values())


def run(scheduler: Scheduler, requests=(), most_steps=10_000):
    """Of every answer, by number of the request and of the answer: tokens with log-probabilities,
    and why it ended."""
    came: dict[Key_, list] = {}
    for one in requests:
        scheduler.add(one)
    for _ in range(most_steps):
        if not scheduler.has_work:
            return came
        events = scheduler.step()
        for event in events:
            assert event.error is None, event.error
            key = event.answer.request.number, event.answer.index
            came.setdefault(key, []).append((event.token, event.logprob, event.finish_reason))
        scheduler.drop({e.answer for e in events if e.finish_reason is not None})
    raise AssertionError("it never ends")


def tokens_of(came) -> dict[Key_, list[int]]:
    return {key: [token for token, _, _ in events] for key, events in came.items()}
