"""The next tokens of all answers of a step, several of one where its drafts are right.

Rows are sampled one after the other until the first that differs from its draft, so everything that
depends on the tokens so far -- random numbers, penalties, filters, stop tokens, lengths -- is as it
would have been with a step for each of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pyhades.llm.engine.answer import Answer, Event
from pyhades.llm.engine.batch_sampler import BatchSampler, Sampled
from pyhades.llm.engine.runner import Piece, Runner
from pyhades.llm.speculation.sources import Draft
from pyhades.llm.text.outputs import TokenLogprob


@dataclass(eq=False)
class Turn:
    """What a step holds for an answer.

    Attributes
    ----------
    row
        Of the logits that its next token is sampled from; those after its drafts follow.
    piece
        What went through the model for it.
    draft
        What its tokens were guessed to be.
    taken
        Tokens that have been sampled.
    """

    answer: Answer
    row: int
    piece: Piece
    draft: Draft | None = None
    taken: int = 0

    @property
    def goes_on(self) -> bool:
        """Whether there is a row after the token that was sampled last."""
        return self.was_right and self.answer.finish_reason is None

    @property
    def was_right(self) -> bool:
        """Whether the token that was sampled last had been guessed."""
        guesses, place = self.guesses, self.taken - 1
        return place < len(guesses) and self.answer.tokens[-1] == guesses[place]

    @property
    def guesses(self) -> Sequence[int]:
        """What its tokens were guessed to be."""
        return () if self.draft is None else self.draft.tokens


def take_turns(turns: Iterable[Turn], sampler: BatchSampler, runner: Runner) -> list[Event]:
    """Sample the tokens of a step.

    Parameters
    ----------
    turns
        Of the answers that get some.
    sampler
        What chooses them.
    runner
        Has just run the step; what was wrong is dropped from its cache.

    Returns
    -------
    list of Event
        Those of an answer in the order of its tokens.
    """
    events: list[Event] = []
    running = list(turns)
    while running:
        samplers = [turn.answer.sampler for turn in running]
        rows = [turn.row + turn.taken for turn in running]
        outcomes = sampler.sample(runner.logits, rows, samplers)
        left = []
        for turn, sampled in zip(running, outcomes, strict=True):
            turn.taken += 1
            event = _next(turn, sampled)
            events.append(event)
            if event.error is None and turn.goes_on:
                left.append(turn)
            elif turn.draft is not None:
                read = len(turn.piece.tokens) - len(turn.guesses)
                runner.keep(turn.piece, read + turn.taken - 1)
        running = left
    return events


def _next(turn: Turn, sampled: Sampled | Exception) -> Event:
    """What has come to an answer, which takes note of it."""
    answer = turn.answer
    if isinstance(sampled, Exception):
        return Event(answer, error=sampled)
    answer.tokens.append(sampled.token)
    if sampled.token in answer.request.stop_ids or answer.sampler.is_finished:
        answer.finish_reason = "stop"
    elif answer.written == answer.request.max_tokens:
        answer.finish_reason = "length"
    if turn.draft is not None and turn.draft.source == "prediction":
        _count(turn)
    logprob = None
    if sampled.logprob is not None:
        logprob = TokenLogprob(sampled.token, sampled.logprob, sampled.top)
    return Event(
        answer, sampled.token, logprob, finish_reason=answer.finish_reason,
        accepted=answer.accepted, rejected=answer.rejected,
    )  # fmt: skip


def _count(turn: Turn) -> None:
    """Count what was right of a prediction and, at the end, what was not."""
    answer = turn.answer
    answer.accepted += turn.was_right
    if not turn.goes_on:  # what was guessed from here on
        first = turn.taken if turn.was_right else turn.taken - 1
        answer.rejected += max(len(turn.guesses) - first, 0)
