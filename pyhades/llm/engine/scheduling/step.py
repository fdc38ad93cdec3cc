"""A step: what goes through the model together, and what comes of it."""

from __future__ import annotations

from collections.abc import Sequence as Items
from dataclasses import dataclass

from pyhades.llm.cache.kv_cache import KvCache
from pyhades.llm.engine.answer import Answer, Event, Portion
from pyhades.llm.engine.batch_sampler import BatchSampler
from pyhades.llm.engine.runner import Logits, Piece, Runner
from pyhades.llm.engine.scheduling.drafting import Drafts
from pyhades.llm.engine.scheduling.roster import Roster
from pyhades.llm.engine.token_filter import Words
from pyhades.llm.engine.turns import Turn, take_turns
from pyhades.llm.speculation.sources import Draft


@dataclass(frozen=True)
class Step:
    """Pieces of answers, and guesses of what they go on with.

    Attributes
    ----------
    answers, pieces
        Who takes part, and with what.
    drafts
        By answer.
    rows
        Tokens that go in.
    looks
        How many tokens those look back at before the step, all in all.
    """

    answers: Items[Answer]
    pieces: Items[Piece]
    drafts: Drafts
    rows: int
    looks: int

    @classmethod
    def of(cls, chosen: Items[Portion], drafts: Drafts) -> Step:
        """The next tokens of some answers, so many of each, with their drafts."""
        pieces = [_piece(answer, count, drafts.get(answer)) for answer, count in chosen]
        rows = sum(len(piece.tokens) for piece in pieces)
        looks = sum(len(piece.tokens) * piece.sequence.length for piece in pieces)
        return cls([answer for answer, _ in chosen], pieces, drafts, rows, looks)

    def allowed(self, sampler: BatchSampler) -> Words | None:
        """The tokens whose logits are needed; None for all."""
        writers = [
            each
            for answer, piece in zip(self.answers, self.pieces, strict=True)
            if piece.wanted
            for each in (answer, *answer.siblings)
        ]
        are_filtered = any(writer.sampler.is_filtered for writer in writers)
        if not are_filtered or any(writer.request.wants_rows for writer in writers):
            return None
        drafts = self.drafts
        guesses = {place: drafts[w].tokens for place, w in enumerate(writers) if w in drafts}
        return sampler.allowed([writer.sampler for writer in writers], guesses)

    def events(
        self, logits: Items[Logits], sampler: BatchSampler, runner: Runner, roster: Roster
    ) -> list[Event]:
        """What has come to the answers: rows of logits, or tokens that are sampled from them.

        Parameters
        ----------
        logits
            Of each piece.
        sampler
            What chooses tokens.
        runner
            Has just run the step.
        roster
            Where siblings of those who have read their prompt take their places.
        """
        events: list[Event] = []
        turns: list[Turn] = []
        row = 0
        for answer, piece, given in zip(self.answers, self.pieces, logits, strict=True):
            if answer.request.wants_rows:
                events += _rows(answer, given)
            elif piece.wanted:
                branches = [answer, *_branches(answer, runner.cache, roster)]
                turns += [Turn(each, row, piece, self.drafts.get(each)) for each in branches]
            row += piece.wanted
        return events + take_turns(turns, sampler, runner)


def _piece(answer: Answer, count: int, draft: Draft | None) -> Piece:
    tokens = answer.next_tokens(count)
    if answer.request.wants_rows:
        return Piece(answer.sequence, tokens, len(tokens))
    wanted = int(len(tokens) == answer.unread)
    guesses = () if draft is None else draft.tokens
    return Piece(answer.sequence, [*tokens, *guesses], wanted + len(guesses), len(guesses))


def _rows(answer: Answer, given: Logits) -> list[Event]:
    """Logits after every token, which the next step would overwrite: none twice.

    What has given way is read again from its beginning.
    """
    first = answer.sequence.length - len(given)
    new = given[max(answer.rows_given - first, 0) :]
    answer.rows_given += len(new)
    if not answer.unread:
        answer.finish_reason = "length"
    return [Event(answer, rows=new.copy(), finish_reason=answer.finish_reason)] if len(new) else []


def _branches(answer: Answer, cache: KvCache, roster: Roster) -> list[Answer]:
    """Siblings of an answer that has just read their prompt: they go on from there."""
    siblings = roster.part(answer)
    for sibling in siblings:
        sibling.sequence = cache.fork(answer.sequence)
        sibling.cached_tokens = answer.cached_tokens
    return siblings
