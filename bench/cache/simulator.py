"""A trace through the cache that the engine has, without a model: only clocks are simulated.

Prompts are looked up, read in steps, written on and given back as the scheduler does it, by
:class:`pyhades.llm.cache.kv_cache.KvCache` itself with the policies and levels of the package, for
a model whose blocks are a few bytes. What might have been found is counted by
:mod:`bench.cache.reusable`, which has nothing in common with it.
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from bench.cache.reusable import Reusable, Tokens
from bench.cache.rooms import STAND_IN, Disk, Rooms
from bench.cache.traces.spans import WORDS, Known, Text, tokens_of
from bench.cache.traces.trace import Ask, Trace
from pyhades.llm.cache.kv_cache import KvCache
from pyhades.llm.cache.levels import Levels
from pyhades.llm.cache.policies import DEFAULT_POLICY, PolicyName
from pyhades.llm.cache.sequences import Sequence
from pyhades.llm.models.config import ModelConfig
from pyhades.llm.models.layers import CACHE_BLOCK

STEP = 512
"""Tokens of a prompt that are read at once."""
AT_ONCE = 16
"""Answers that are written at the same time, at most."""


@dataclass
class Outcome:
    """What a trace found, in tokens of prompts.

    Attributes
    ----------
    asked
        Of all prompts.
    reusable
        Of them, those that an endless cache would have found.
    found
        Those of which layers that see everything had keys and values.
    rederived
        Of the found ones, those that went through the model once more for the sake of windows.
    by_windows
        Those that would not have gone through the model if lost windows were not computed: up to
        the last window that was there.
    per_ask
        Found, spared and reusable tokens of each prompt, in the order in which they began.
    """

    asked: int = 0
    reusable: int = 0
    found: int = 0
    rederived: int = 0
    by_windows: int = 0
    per_ask: list[tuple[int, int, int]] = field(default_factory=list)

    @property
    def spared(self) -> int:
        """Tokens that did not go through the model."""
        return self.found - self.rederived

    @property
    def of_reusable(self) -> float:
        """Share of what might have been spared."""
        return self.spared / self.reusable if self.reusable else 1.0

    @property
    def of_asked(self) -> float:
        """Share of all prompts."""
        return self.spared / self.asked if self.asked else 0.0


@dataclass(order=True)
class _Running:
    """An answer that is being written."""

    ends: float
    number: int
    ask: Ask = field(compare=False)
    sequence: Sequence = field(compare=False)
    rest: Tokens = field(compare=False)
    """Tokens of the answer that go through the model: all but the last."""
    text: Tokens = field(compare=False)
    """Prompt and rest."""


class Simulation:
    """A cache, and the prompts that come to it.

    Parameters
    ----------
    trace
        What is asked.
    tokens
        For which level 1 has room.
    below
        Bytes of gpt-oss-20b for which a level below has room, that keeps things over restarts.
    policy
        What is given up first, on every level.
    known
        Tokens of spans that are not those that their names stand for.
    words
        How many token ids the others are made of.
    loses_windows
        Whether all windows are given up before every prompt.
    config
        The model; by default one with the shape of gpt-oss-20b.
    """

    def __init__(
        self,
        trace: Trace,
        tokens: int,
        below: int = 0,
        policy: PolicyName = DEFAULT_POLICY,
        *,
        known: Known | None = None,
        words: int = WORDS,
        loses_windows: bool = False,
        config: ModelConfig = STAND_IN,
    ) -> None:
        self.trace = trace
        self.now = 0.0
        self.outcome = Outcome()
        self._known, self._words = known, words
        self._loses_windows = loses_windows
        context = -(-max(trace.longest, 1) // CACHE_BLOCK) * CACHE_BLOCK
        at_once = max(AT_ONCE, -(-tokens // context))  # a cache is no larger than all texts
        levels = Levels([Disk(below, policy, self._clock)], inline=True) if below else None
        self.cache = KvCache(
            config, context, at_once, STEP, tokens=tokens, levels=levels, policy=policy,
            clock=self._clock,
        )  # fmt: skip
        declared = [self._tokens(text) for text in trace.declared]
        for text in declared:
            self.cache.declare(text.tolist())
        self._endless = Reusable(declared)
        self._waiting: deque[Ask] = deque()
        self._running: list[_Running] = []
        self._begun = 0

    def _clock(self) -> float:
        return self.now

    def _tokens(self, text: Text) -> Tokens:
        return tokens_of(text, self._known, self._words)

    def run(self) -> Outcome:
        """All prompts, to the end of the last answer."""
        for ask in self.trace.asked:
            self._finish_until(ask.time)
            self.now = ask.time
            self._waiting.append(ask)
            self._begin_waiting()
        self._finish_until(float("inf"))
        return self.outcome

    def _finish_until(self, time: float) -> None:
        while self._running and self._running[0].ends <= time:
            self._finish(heapq.heappop(self._running))
            self._begin_waiting()

    def _begin_waiting(self) -> None:
        while self._waiting and self._has_room(self._waiting[0]):
            self._begin(self._waiting.popleft())

    def _has_room(self, ask: Ask) -> bool:
        """Whether an answer finds room to its end, with those that are being written."""
        if not self._running:
            return True
        if len(self._running) == AT_ONCE:
            return False
        texts = [one.ask for one in self._running] + [ask]
        needed = sum(-(-(a.prompt_length + a.answer_length) // CACHE_BLOCK) + 1 for a in texts)
        return needed <= self.cache.tokens // CACHE_BLOCK

    def _begin(self, ask: Ask) -> None:
        """Look a prompt up, and read what was not found."""
        prompt = self._tokens(ask.prompt)
        answer = self._tokens(ask.answer)
        sequence = self._looked_up(prompt, ask)
        self._count(prompt, ask, sequence)
        self._read(sequence, prompt[sequence.length :])
        self._endless.add(prompt, ask.client)
        self._begun += 1
        rest = answer[:-1]
        text = np.concatenate([prompt, rest])
        ends = self.now + ask.seconds
        heapq.heappush(self._running, _Running(ends, self._begun, ask, sequence, rest, text))

    def _looked_up(self, prompt: Tokens, ask: Ask) -> Sequence:
        """A sequence of what was found, as the scheduler admits an answer."""
        cache, prefixes = self.cache, self.cache.prefixes
        assert prefixes is not None
        address = cache.address(prompt.tolist(), ask.client, ask.points)
        assert address is not None
        if self._loses_windows:
            for digest in list(prefixes.windows.kept):
                prefixes.windows.give_up(digest)
        prefixes.look_up(address)
        fetch = cache.order(address)
        while fetch is not None:
            is_over = fetch.is_over
            cache.take_in(address, fetch)
            fetch = None if is_over else fetch
        prefixes.look_up(address)
        depths = range(address.place.known, 0, -1)
        last = next((d for d in depths if address.digests[d - 1] in prefixes.windows), 0)
        self.outcome.by_windows += last * CACHE_BLOCK
        return cache.begin(address)

    def _read(self, sequence: Sequence, tokens: Tokens) -> None:
        for first in range(0, len(tokens), STEP):
            piece = tokens[first : first + STEP].tolist()
            self.cache.append(sequence, len(piece))
            self.cache.follow(sequence, piece)

    def _finish(self, done: _Running) -> None:
        self.now = done.ends
        self._read(done.sequence, done.rest)
        self.cache.free(done.sequence, is_open=done.ask.opens)
        self._endless.add(done.text, done.ask.client)

    def _count(self, prompt: Tokens, ask: Ask, sequence: Sequence) -> None:
        outcome = self.outcome
        found = max(sequence.known, sequence.length)
        reusable = self._endless.found(prompt, ask.client)
        assert found <= reusable, "the cache found what nobody has read"
        outcome.asked += len(prompt)
        outcome.reusable += reusable
        outcome.found += found
        outcome.rederived += found - sequence.length
        outcome.per_ask.append((found, sequence.length, reusable))


def simulate(
    trace: Trace,
    rooms: Rooms,
    policy: PolicyName = DEFAULT_POLICY,
) -> Outcome:
    """What a trace finds in rooms of that size."""
    return Simulation(trace, rooms.tokens, round(rooms.below), policy).run()
