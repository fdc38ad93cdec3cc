"""Answers that are written on a machine whose steps take what a table says, and no time here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from pyhades.llm.engine.step_costs import StepCosts
from pyhades.llm.speculation.sources import common_length
from pyhades.llm.speculation.speculation import Speculation

ROWS = [1, 2, 4, 8, 16, 32, 64]
LARGE = [0.057, 0.082, 0.122, 0.177, 0.228, 0.252, 0.467]
"""Of gpt-oss-20b on two cores, see docs/reference/language_model_speed.md."""


@dataclass(frozen=True)
class Asked:
    """A request."""

    tokens: tuple[int, ...]
    max_tokens: int
    drafts: tuple[tuple[int, ...], ...] = ()
    headers: tuple[tuple[int, ...], ...] = ()
    client: str = ""


class Free:
    """A sampler that knows nothing of what comes."""

    def forced(self, most: int) -> Sequence[int]:
        return ()

    def count_allowed(self, tokens: Sequence[int]) -> int:
        return len(tokens)


@dataclass(eq=False)
class Scripted:
    """An answer whose tokens are settled."""

    request: Asked
    script: Sequence[int]
    tokens: list[int] = field(default_factory=list)
    sampler: Free = field(default_factory=Free)

    def __post_init__(self) -> None:
        self.tokens = [*self.request.tokens, self.script[0]]

    @property
    def left(self) -> Sequence[int]:
        return self.script[len(self.tokens) - len(self.request.tokens) :]


class Machine:
    """Seconds of steps by a table, with noise; rows of drafts share experts.

    Parameters
    ----------
    sharing
        What a row of a draft takes, compared with a row of another text.
    looking
        Seconds that speculation takes per call of its clock: what Python does meanwhile.
    """

    def __init__(
        self, seconds=LARGE, sharing=1.0, looking=1e-4, noise=0.03, wrong=1.0, seed=0
    ) -> None:
        self.now = 0.0
        self._table = np.interp(np.arange(1, 65), ROWS, seconds)
        self._sharing, self._looking, self._noise = sharing, looking, noise
        self._random = np.random.default_rng(seed)
        self.costs = StepCosts(ROWS, [wrong * s for s in seconds])

    def clock(self) -> float:
        self.now += self._looking / 2
        return self.now

    def plain(self, rows: int) -> float:
        return float(self._table[rows - 1])

    def step(self, rows: int, drafts: int) -> float:
        seconds = self.plain(rows)
        seconds += self._sharing * (float(self._table[rows + drafts - 1]) - seconds)
        return seconds * float(np.exp(self._noise * self._random.standard_normal()))


def write(machine: Machine, speculation: Speculation, answers: Sequence[Scripted]) -> None:
    """Write answers together, step by step."""
    running = list(answers)
    while running:
        began, rows = machine.now, len(running)
        tried = speculation.propose(running, rows, 0, 64 - rows)
        drafts = sum(len(draft.tokens) for draft in tried.values())
        assert all(len(draft.tokens) <= 15 for draft in tried.values())
        seconds = machine.step(rows, drafts)
        machine.now += seconds
        if not drafts:
            machine.costs.learn(rows, 0, seconds)
        for answer in running:
            guessed = tried[answer].tokens if answer in tried else ()
            right = common_length(guessed, answer.left)
            answer.tokens += answer.left[: right + 1]
        speculation.learn(machine.now - began)
        for answer in [answer for answer in running if not answer.left]:
            speculation.forget(answer)
            running.remove(answer)


def text(seed: int, count: int, vocabulary: int = 50_000) -> list[int]:
    return np.random.default_rng(seed).integers(0, vocabulary, count).tolist()


def copied(source: Sequence[int], share: float, count: int, seed: int = 0) -> list[int]:
    """A text that copies another, but for single tokens."""
    random = np.random.default_rng([seed, 7])
    return [
        source[place % len(source)] if random.random() < share else int(random.integers(50_000))
        for place in range(count)
    ]


def answers_of(count: int, share: float, tokens: int, seed: int = 0, **asked) -> list[Scripted]:
    """Each copies its own prompt."""
    found = []
    for number in range(count):
        source = text(1000 * seed + number, 300)
        script = copied(source, share, tokens, 1000 * seed + number)
        found.append(Scripted(Asked(tuple(source), tokens, **asked), script))
    return found
