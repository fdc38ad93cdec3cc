"""Which tokens go into the next step: answers in progress first, then pieces of prompts."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field

from pyhades.llm.engine.kv_cache import Sequence
from pyhades.llm.engine.request import Request
from pyhades.llm.engine.runner import Logits, Piece, Runner
from pyhades.llm.engine.sampling import Sampler
from pyhades.llm.text.outputs import FinishReason, TokenLogprob


@dataclass(eq=False)
class Answer:
    """One answer in progress."""

    request: Request
    index: int
    sampler: Sampler
    sequence: Sequence
    pending: deque[int]
    """Tokens that have yet to go through the model."""
    count: int = 0
    finish_reason: FinishReason | None = None
    siblings: list[Answer] = field(default_factory=list)
    """Answers to the same prompt, which begin where this one has read it."""


@dataclass(frozen=True)
class Event:
    """A token of an answer, or its end."""

    answer: Answer
    token: int
    logprob: TokenLogprob | None


class Scheduler:
    """Runs requests together, as many as the runner has room for.

    Iterate over :meth:`run`; closing the iterator gives the cache back.
    """

    def __init__(self, runner: Runner, requests: Iterable[Request]) -> None:
        self.runner = runner
        self._waiting = deque(requests)
        self._reading: deque[Answer] = deque()
        self._writing: list[Answer] = []

    def run(self) -> Generator[list[Event], None, None]:
        """The events of each step."""
        try:
            while self._make_room():
                yield self._step()
        finally:
            for answer in [*self._reading, *self._writing]:
                self._drop(answer)

    def finish(self, answer: Answer, reason: FinishReason) -> None:
        """End an answer for a reason that the scheduler does not see, such as a stop string."""
        answer.finish_reason = reason

    def _make_room(self) -> bool:
        """Let go of what has ended, and start what waits; whether there is anything to do."""
        for answer in [a for a in self._writing if a.finish_reason is not None]:
            self._writing.remove(answer)
            self._drop(answer)
        self._admit()
        return bool(self._reading or self._writing)

    def _admit(self) -> None:
        """Start waiting requests while there is room for all their answers."""
        room = self.runner.limits.sequences
        while self._waiting:
            in_use = len(self._writing) + sum(1 + len(a.siblings) for a in self._reading)
            request = self._waiting[0]
            if in_use and in_use + request.params.n > room:
                return
            self._waiting.popleft()
            answers = [
                Answer(request, index, Sampler(request.params, request.tokens, index),
                       self.runner.cache.sequence(), deque(request.tokens))
                for index in range(request.params.n)
            ]  # fmt: skip
            answers[0].siblings = answers[1:]
            self._reading.append(answers[0])

    def _step(self) -> list[Event]:
        pieces = [Piece(a.sequence, [a.pending[0]], 1) for a in self._writing]
        answers = list(self._writing)
        room = self.runner.limits.tokens - len(pieces)
        for answer in list(self._reading):
            if not room or len(pieces) == self.runner.limits.sequences:
                break
            tokens = [answer.pending[i] for i in range(min(room, len(answer.pending)))]
            is_last = len(tokens) == len(answer.pending)
            pieces.append(Piece(answer.sequence, tokens, int(is_last)))
            answers.append(answer)
            room -= len(tokens)
        logits = self.runner.run(pieces)
        events: list[Event] = []
        for answer, piece, rows in zip(answers, pieces, logits, strict=True):
            for _ in piece.tokens:
                answer.pending.popleft()
            if piece.wanted:
                events += self._sample(answer, rows)
        return events

    def _sample(self, answer: Answer, rows: Logits) -> list[Event]:
        """The next token of an answer; where it has just read its prompt, of its siblings too."""
        if answer in self._reading:
            self._reading.remove(answer)
            for sibling in answer.siblings:
                sibling.sequence = self.runner.cache.fork(answer.sequence)
                sibling.pending.clear()
            started = [answer, *answer.siblings]
            self._writing += started
            return [self._next(each, rows) for each in started]
        return [self._next(answer, rows)]

    def _next(self, answer: Answer, rows: Logits) -> Event:
        sampled = answer.sampler.sample(rows[-1])
        answer.count += 1
        answer.pending.append(sampled.token)
        if sampled.token in answer.request.stop_ids:
            answer.finish_reason = "stop"
        elif answer.count == answer.request.max_tokens:
            answer.finish_reason = "length"
        logprob = None
        if sampled.logprob is not None:
            logprob = TokenLogprob(sampled.token, sampled.logprob, sampled.top)
        return Event(answer, sampled.token, logprob)

    def _drop(self, answer: Answer) -> None:
        self.runner.cache.free(answer.sequence)
