"""Requests in progress, run together in steps.

Decisions are those of :mod:`pyhades.llm.engine.policy`, the bookkeeping around them is that of
:mod:`pyhades.llm.engine.scheduling`; here they meet the model.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from collections.abc import Sequence as Items

from pyhades.errors import CancelledError, PyhadesError
from pyhades.llm.engine.answer import Answer, Event, Portion
from pyhades.llm.engine.batch_sampler import BatchSampler
from pyhades.llm.engine.request import Request
from pyhades.llm.engine.runner import Logits, Runner
from pyhades.llm.engine.sampling import Sampler
from pyhades.llm.engine.scheduling.admission import Admission
from pyhades.llm.engine.scheduling.drafting import drafts_for
from pyhades.llm.engine.scheduling.fetching import Fetching
from pyhades.llm.engine.scheduling.preemption import Preemption
from pyhades.llm.engine.scheduling.reading import Reading
from pyhades.llm.engine.scheduling.room import Room
from pyhades.llm.engine.scheduling.roster import Roster, Suspended
from pyhades.llm.engine.scheduling.step import Step
from pyhades.llm.engine.step_costs import StepCosts
from pyhades.llm.speculation.speculation import Speculation


class Scheduler:
    """Runs requests together, in steps.

    Parameters
    ----------
    runner
        The model.
    costs
        How long steps take.
    is_suspended
        Whether the reader of an answer does not read, so that it has to wait.
    clock
        Seconds.
    speculation
        Drafts of tokens, tried where that pays; None for none. It belongs to the scheduler.

    Attributes
    ----------
    roster
        The answers in progress.
    preemption
        Who gives way where no room is left.
    steps
        That were run.
    seconds
        Of all steps.
    seconds_in_model
        Without what stands around the kernels.
    """

    def __init__(
        self,
        runner: Runner,
        costs: StepCosts,
        is_suspended: Suspended = lambda answer: False,
        clock: Callable[[], float] = time.monotonic,
        speculation: Speculation | None = None,
    ) -> None:
        self.runner = runner
        self.costs = costs
        self.steps = 0
        self.seconds = 0.0
        self.seconds_in_model = 0.0
        self._clock = clock
        self._arrivals = 0
        cache, limits = runner.cache, runner.limits
        self.roster = Roster(is_suspended)
        self._fetching = Fetching(cache)
        self._room = Room(cache, limits, self.roster)
        self.preemption = Preemption(cache, self.roster, self._room, self._fetching)
        admission = Admission(cache, self.roster, self._fetching, costs, clock)
        self._reading = Reading(admission, self._room, costs, limits)
        self._sampler = BatchSampler(
            runner.config.vocab_size, threads=runner.threads, isa=runner.isa
        )
        if speculation is not None:
            speculation.begin(costs.seconds)
        self.speculation = speculation if speculation and speculation.is_of_use else None

    # Requests.

    def add(self, request: Request) -> list[Answer]:
        """Take a request; its answers."""
        arrival = self._arrivals, self._clock()
        self._arrivals += 1
        answers = [
            Answer(
                request, index,
                Sampler(request.params, request.tokens, index, request.filter_factory),
                self.runner.cache.sequence(), arrival, list(request.tokens),
            )
            for index in range(request.params.n)
        ]  # fmt: skip
        self._fetching.note(answers[0])
        self.roster.enter(answers)
        return answers

    def drop(self, answers: Iterable[Answer]) -> None:
        """Forget answers, done or not."""
        gone = set(answers)
        if not gone:
            return
        for answer in gone:
            self.runner.cache.free(answer.sequence, is_open=answer.is_open)
            if self.speculation is not None:
                self.speculation.forget(answer)
        self.roster.leave(gone)
        for answer in gone:
            if answer.fetch is not None:  # and no sibling goes on with it
                answer.fetch.cancel()

    @property
    def answers(self) -> list[Answer]:
        """All that are in progress or wait, the oldest of those that hold blocks first."""
        return self.roster.answers

    @property
    def has_work(self) -> bool:
        """Whether a step would do anything; answers that wait for what is fetched need none."""
        return self.roster.has_work

    @property
    def waiting(self) -> int:
        """Prompts that nothing has been read of, or has to be read again."""
        return len(self.roster.waiting)

    @property
    def running(self) -> int:
        """Answers that hold blocks."""
        return self.roster.running

    @property
    def preemptions(self) -> int:
        """How often an answer had to give its blocks to others."""
        return self.preemption.count

    def receive(self) -> None:
        """Take in what was fetched for answers that wait."""
        self._fetching.receive(self.roster.waiting)

    # A step.

    def step(self) -> list[Event]:
        """Bring answers forward by a token, or several at once, and prompts as far as time allows.

        Raises
        ------
        CancelledError
            The runner was told to stop; everything is as it was.
        """
        began = self._clock()
        try:
            events = self._step()
            if self.speculation is not None:
                self.speculation.learn(self._clock() - began)
            return events
        finally:
            self.seconds += self._clock() - began

    def _step(self) -> list[Event]:
        self.receive()
        chosen = self._chosen()
        while not chosen and self.roster.holding and self.has_work:
            # Everything is held by those who wait for more, or whose readers do not read.
            self.preemption.preempt_one()
            chosen = self._chosen()
        if not chosen:
            return []
        drafts = drafts_for(chosen, self.speculation, self._room, self.runner.limits)
        step = Step.of(chosen, drafts)
        try:
            logits = self._run(step)
        except CancelledError:
            raise
        except (PyhadesError, MemoryError) as error:
            return [Event(answer, error=error) for answer in step.answers]
        return step.events(logits, self._sampler, self.runner, self.roster)

    def _chosen(self) -> list[Portion]:
        """Who takes part in the next step, and with how many tokens."""
        most = self.runner.limits.sequences
        writing, has_preempted = self.preemption.writers(most)
        if not has_preempted and self.preemption.make_fair_room(writing):
            writing, has_preempted = self.preemption.writers(most)
        return [*writing, *self._reading.chosen(writing, may_admit=not has_preempted)]

    def _run(self, step: Step) -> Items[Logits]:
        """Run a step; its logits. What it took is counted."""
        began = self._clock()
        logits = self.runner.run(step.pieces, step.allowed(self._sampler))
        seconds = self._clock() - began
        self.steps += 1
        self.seconds_in_model += seconds
        if not step.drafts:  # whose rows take less than others: speculation knows what
            self.costs.learn(step.rows, step.looks, seconds)
        for answer, piece in zip(step.answers, step.pieces, strict=True):
            share = seconds * len(piece.tokens) / step.rows
            self.roster.shares.serve(answer.request.client, share)
        return logits
