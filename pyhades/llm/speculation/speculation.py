"""Drafts for all answers of a step, as many as pay, and what has come of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from pyhades.arguments import check_count
from pyhades.llm.speculation.acceptance import Acceptance
from pyhades.llm.speculation.counts import SourceCounts, SourceName, SpeculationCounts
from pyhades.llm.speculation.draft_costs import UNTRIED, DraftCosts, StepSeconds
from pyhades.llm.speculation.drafter import LEAST_CHANCE, Drafter, Writer
from pyhades.llm.speculation.gate import Stakes, choose, least_chance
from pyhades.llm.speculation.ledger import Ledger
from pyhades.llm.speculation.past import PastAnswers
from pyhades.llm.speculation.sources import Draft, common_length

MOST_DRAFTS = 15
"""Of an answer in a step: the cache can take back 16 tokens of a sliding window."""
CATCHING_UP = 2048
"""Most tokens of prompts that are looked through in a step: some milliseconds."""
LOOKING = 3e-6
"""Seconds that this takes per token, until it has been measured."""
CONTROL = 32
"""Every so many steps one goes without drafts: what they gain is known by comparison."""
MOST_OFF = 1.5
"""Times as long as expected that a step may count as: what is beyond that is not due to drafts."""
SHORTEST_STEP = 2e-3
"""Seconds of a step with one row below which nothing is tried unless it is asked for: to look for
drafts, and to keep account of them, takes up to 70 microseconds of the interpreter."""
PAST_TOKENS = 16_384
"""Of earlier answers to a client."""

AnyWriter = TypeVar("AnyWriter", bound=Writer)


@dataclass
class _Step:
    """What was decided for a step.

    Attributes
    ----------
    plain
        Seconds that it takes without drafts.
    unit
        Those of a step that does nothing but write.
    reads
        Whether it reads prompts, more than a little of them: then it tries no drafts.
    seconds
        Spent on finding drafts.
    """

    writers: Sequence[Writer]
    rows: int
    looks: int
    lengths: Sequence[int]
    plain: float
    unit: float
    reads: bool
    proposed: dict[Writer, Draft] = field(default_factory=dict)
    tried: dict[Writer, Draft] = field(default_factory=dict)
    seconds: float = 0.0


class Speculation:
    """Decides on drafts, step by step; belongs to one engine.

    Parameters
    ----------
    is_optimistic
        Whether to assume at first that drafts are right more often, and cost less.
    most
        Drafts of an answer in a step, at most 15.
    past_tokens
        How many tokens of earlier answers to a client its drafts may come from; 0 for none. Those
        of one client never serve another.
    shortest_step
        Seconds that a step with one row takes at least where anything is tried.
    clock
        Seconds.

    Examples
    --------
    >>> speculation = Speculation()
    >>> speculation.counts().drafted
    0
    """

    def __init__(
        self,
        *,
        is_optimistic: bool = False,
        most: int = MOST_DRAFTS,
        past_tokens: int = PAST_TOKENS,
        shortest_step: float = 0.0,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._most = check_count("most", most, least=0)
        self._most = min(self._most, MOST_DRAFTS)
        self._untried = UNTRIED / 2 if is_optimistic else UNTRIED
        self._acceptance = Acceptance(is_optimistic=is_optimistic)
        self._shortest_step = shortest_step
        self._past = PastAnswers(check_count("past_tokens", past_tokens, least=0))
        self._clock = clock
        self._ledger = Ledger()
        self._by_source: dict[SourceName, SourceCounts] = {}
        self._steps = 0
        self._seconds_gained = self._seconds_drafting = 0.0
        self._unpaid = 0.0
        """Seconds spent on what has come of steps, which no account has had yet."""
        self.begin(lambda rows, looks: 1e-3 * rows)

    @classmethod
    def wanted(cls, speculation: bool | None) -> Speculation | None:
        """As ``LLM(speculation=...)`` says: None and True are tried where it pays, False never.

        Examples
        --------
        >>> Speculation.wanted(False) is None
        True
        """
        if speculation is False:
            return None
        return cls(is_optimistic=True) if speculation else cls(shortest_step=SHORTEST_STEP)

    def begin(self, seconds: StepSeconds) -> None:
        """Start with no answers, on a machine whose steps take so long."""
        self.is_of_use = seconds(1, 0) >= self._shortest_step
        """Whether steps take long enough here; else nobody need ask."""
        self._costs = DraftCosts(seconds, self._untried)
        self._drafters: dict[Writer, Drafter] = {}
        self._step: _Step | None = None
        self._since_control = 0
        self._looking = LOOKING
        self._unit = seconds(1, 0)

    def propose(
        self,
        writers: Sequence[AnyWriter],
        rows: int,
        looks: int,
        room: int,
        readers: Sequence[Writer] = (),
    ) -> Mapping[AnyWriter, Draft]:
        """Which drafts a step tries.

        Parameters
        ----------
        writers
            The answers that get a token.
        rows, looks
            Of the step without drafts, prompts included: tokens that go in, and those in front of
            each of them, added up.
        room
            Most drafts of all answers.
        readers
            Answers whose prompts are read: their drafts will come from those.

        Returns
        -------
        mapping
            Drafts by answer; those without have none.
        """
        if self.is_paused:
            return {}
        began = self._clock()
        step = self._step = self._begun(writers, rows, looks)
        stakes = self._stakes(step, room)
        least = least_chance(stakes, lambda drafts: self._extra(step, drafts))
        if least < 1:
            self._look([*writers, *readers])
            if not step.reads:
                self._choose(step, stakes, max(least, LEAST_CHANCE))
        step.seconds = self._clock() - began
        return {writer: step.tried[writer] for writer in writers if writer in step.tried}

    @property
    def is_paused(self) -> bool:
        """Whether nothing is tried now; then nobody need ask, so that a pause costs nothing."""
        return self._ledger.is_paused

    def drop(self) -> None:
        """Try no drafts in this step after all: there is no room for them."""
        if self._step is not None:
            self._step.tried = {}

    def learn(self, seconds: float) -> None:
        """Take note of what came of the step that was decided on last.

        Parameters
        ----------
        seconds
            That it has taken altogether.
        """
        step, self._step = self._step, None
        if step is None:
            self._ledger.enter(seconds, -self._paid(), self._unit)
            return
        began = self._clock()
        came = {
            writer: writer.tokens[length:]
            for writer, length in zip(step.writers, step.lengths, strict=True)
        }
        for writer, draft in step.proposed.items():
            if writer in self._drafters:
                self._drafters[writer].learn(draft, came[writer])
        accepted = self._count(step, came)
        self._account(step, accepted, seconds)
        self._unpaid += self._clock() - began

    def _paid(self) -> float:
        """Seconds that were spent between steps, to be accounted for now."""
        unpaid, self._unpaid = self._unpaid, 0.0
        self._seconds_drafting += unpaid
        return unpaid

    def forget(self, writer: Writer) -> None:
        """An answer is done, or not wanted any more."""
        if self._drafters.pop(writer, None) is not None and not self._ledger.is_paused:
            began, request = self._clock(), writer.request
            self._past.add(request.client, writer.tokens[len(request.tokens) :])
            self._unpaid += self._clock() - began

    def counts(self) -> SpeculationCounts:
        """What drafts have brought so far; any thread may ask."""
        by_source = {
            name: SourceCounts(counts.drafted, counts.accepted)
            for name, counts in list(self._by_source.items())
        }
        return SpeculationCounts(
            self._steps,
            sum(counts.drafted for counts in by_source.values()),
            sum(counts.accepted for counts in by_source.values()),
            by_source, self._seconds_gained, self._seconds_drafting,
            self._ledger.pauses, self._ledger.is_paused or not self.is_of_use,
        )  # fmt: skip

    # Inside.

    def _begun(self, writers: Sequence[Writer], rows: int, looks: int) -> _Step:
        writing = max(len(writers), 1)
        unit = self._costs.plain(writing, looks * writing // max(rows, 1), writing)
        is_writing = rows == len(writers)
        plain = unit if is_writing else self._costs.plain(rows, looks, len(writers))
        self._unit = unit
        # What it takes to read prompts varies by more than drafts bring.
        reads = rows > 2 * len(writers)
        return _Step(writers, rows, looks, [len(w.tokens) for w in writers], plain, unit, reads)

    def _stakes(self, step: _Step, room: int) -> Stakes:
        # Prompts that are read in the same step count by their time.
        tokens = len(step.writers) * max(step.plain / step.unit, 1.0)
        return Stakes(tokens, step.plain, room, self._ledger.balance)

    def _look(self, writers: Sequence[Writer]) -> None:
        """Look through prompts, as far as half of what may be lost pays for it."""
        left = most = min(int(self._ledger.balance / 2 / self._looking), CATCHING_UP)
        began = self._clock()
        for writer in writers:
            if writer not in self._drafters:
                past = self._past.of(writer.request.client)
                self._drafters[writer] = Drafter(writer, self._acceptance, past)
            left -= self._drafters[writer].catch_up(left)
        if most - left >= 64:
            self._looking += ((self._clock() - began) / (most - left) - self._looking) / 2

    def _choose(self, step: _Step, stakes: Stakes, least: float) -> None:
        chances: dict[Writer, list[float]] = {}
        for writer in step.writers:
            request = writer.request
            left = len(request.tokens) + request.max_tokens - len(writer.tokens)
            most = min(self._most, left - 1)
            found = self._drafters[writer].propose(most, least) if most > 0 else None
            if found is not None:
                step.proposed[writer] = found[0]
                if found[1]:
                    chances[writer] = found[1]
        if not chances or self._since_control >= CONTROL:
            self._since_control = 0
            return
        counts = choose(list(chances.values()), stakes, lambda drafts: self._extra(step, drafts))
        self._since_control = self._since_control + 1 if any(counts) else 0
        for writer, count in zip(chances, counts, strict=True):
            if count:
                step.tried[writer] = step.proposed[writer].beginning(count)

    def _extra(self, step: _Step, drafts: int) -> float:
        return self._costs.extra(step.rows, step.looks, len(step.writers), drafts, step.plain)

    def _count(self, step: _Step, came: Mapping[Writer, Sequence[int]]) -> int:
        """How many drafts were right."""
        total = 0
        for writer, draft in step.tried.items():
            accepted = common_length(draft.tokens, came[writer])
            counts = self._by_source.setdefault(draft.source, SourceCounts())
            counts.drafted += len(draft.tokens)
            counts.accepted += accepted
            total += accepted
        self._steps += bool(step.tried)
        return total

    def _account(self, step: _Step, accepted: int, seconds: float) -> None:
        writers = len(step.writers)
        drafts = sum(len(draft.tokens) for draft in step.tried.values())
        spent = step.seconds
        if drafts:
            expected = step.plain + self._extra(step, drafts)
            spent = min(max(seconds, expected / MOST_OFF), expected * MOST_OFF) - step.plain
        # Each draft that was right has saved its answer's part of a step.
        gained = accepted * step.unit / max(writers, 1) - spent - self._paid()
        self._costs.learn(
            step.rows, step.looks, writers, drafts, seconds - (0.0 if drafts else step.seconds)
        )
        self._seconds_gained += gained
        self._seconds_drafting += step.seconds
        self._ledger.enter(seconds, gained, step.unit)
