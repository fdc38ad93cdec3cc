"""All work in progress: requests go to the scheduler, and what comes of them to their readers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyhades.errors import CancelledError
from pyhades.llm.engine.answer import Answer, Event
from pyhades.llm.engine.mailbox import Wakings
from pyhades.llm.engine.runner import Runner
from pyhades.llm.engine.scheduler import Scheduler
from pyhades.llm.engine.step_costs import StepCosts
from pyhades.llm.engine.work import Work
from pyhades.llm.speculation.speculation import Speculation


class Workshop:
    """What the thread of an engine has in hand. Others may look at :attr:`in_step`.

    Parameters
    ----------
    runner
        The model.
    costs, speculation
        As in :class:`pyhades.llm.engine.scheduler.Scheduler`.

    Attributes
    ----------
    scheduler
        Has the answers.
    in_step
        The works that the step is for which runs just now.
    """

    def __init__(self, runner: Runner, costs: StepCosts, speculation: Speculation | None) -> None:
        self._runner = runner
        self._works: set[Work[Any]] = set()
        self._of_answer: dict[Answer, Work[Any]] = {}
        self._wakings = Wakings()
        self.in_step: frozenset[Work[Any]] = frozenset()
        of_answer = self._of_answer  # so that the scheduler does not hold what holds it

        def is_suspended(answer: Answer) -> bool:
            return of_answer[answer].mailbox.is_full

        self.scheduler = Scheduler(runner, costs, is_suspended, speculation=speculation)

    @property
    def all(self) -> list[Work[Any]]:
        """All that are not done."""
        return list(self._works)

    def take(self, work: Work[Any]) -> None:
        """Begin with some requests."""
        if work.is_unwanted:
            return
        self._works.add(work)
        try:
            for request in work.requests:
                for answer in self.scheduler.add(request):
                    work.answers.add(answer)
                    self._of_answer[answer] = work
        except Exception as error:  # such as of a filter of tokens; the thread goes on
            self.end(work, error)
        else:
            if not work.answers:  # of no prompts
                self.end(work, None)

    def step(self) -> None:
        """Bring all forward by a step, if there is anything to do."""
        self.scheduler.receive()
        if not self.scheduler.has_work:
            return
        self.in_step = frozenset(self._works)
        self._runner.allow()
        try:
            events = self.scheduler.step()
        except CancelledError:
            return  # there is an order that says what to do
        except Exception as error:  # whoever waits must hear of it, and the thread goes on
            self.end_all(error)
            return
        finally:
            self.in_step = frozenset()
        self._deliver(events)

    def _deliver(self, events: Sequence[Event]) -> None:
        items: dict[Work[Any], list[Any]] = {}
        done: dict[Answer, None] = {}
        failed: dict[Work[Any], Exception] = {}
        for event in events:
            answer = event.answer
            work = self._of_answer[answer]
            if answer in done:
                continue  # it came to a stop string, and this behind it in the same step
            if event.error is not None:
                failed.setdefault(work, event.error)
            elif work not in failed:
                answer.finish_reason = event.finish_reason
                try:
                    items.setdefault(work, []).append(work.receive(event))
                except Exception as failure:  # ends that work alone, and not the thread
                    failed[work] = failure
                    continue
                if answer.finish_reason is not None:
                    done[answer] = None
        self.scheduler.drop(done)  # first: who has read the last piece finds its blocks free
        for work, of_work in items.items():
            work.mailbox.put(of_work, self._wakings)
        self._finish(list(done))
        for work, error in failed.items():
            self.end(work, error)

    def finish(self, work: Work[Any], index: int) -> None:
        """Want nothing more of the answers ``index`` to the prompts of some work."""
        self._finish([answer for answer in work.answers if answer.index == index])

    def _finish(self, answers: Sequence[Answer]) -> None:
        self.scheduler.drop(answers)
        for answer in answers:
            work = self._of_answer.pop(answer)
            work.answers.discard(answer)
            if not work.answers:
                self.end(work, None)

    def end(self, work: Work[Any], error: BaseException | None) -> None:
        """Let go of what is left of some requests."""
        self.scheduler.drop(work.answers)
        for answer in work.answers:
            self._of_answer.pop(answer, None)
        work.answers.clear()
        self._works.discard(work)
        work.mailbox.end(error, self._wakings)

    def end_all(self, error: BaseException) -> None:
        """Let go of everything."""
        for work in self.all:
            self.end(work, error)

    def wake_readers(self) -> None:
        """Wake those on event loops for whom something has come since they were woken last."""
        self._wakings.send()
