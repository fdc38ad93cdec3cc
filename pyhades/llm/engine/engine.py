"""The engine of a model, which works for everybody who asks."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from pyhades.errors import CancelledError, ClosedError
from pyhades.llm.engine import lifetime
from pyhades.llm.engine.answer import Event
from pyhades.llm.engine.handle import Handle
from pyhades.llm.engine.mailbox import Mailbox
from pyhades.llm.engine.orders import Order, Orders, serve
from pyhades.llm.engine.request import Request
from pyhades.llm.engine.runner import Logits, Runner
from pyhades.llm.engine.scheduler import Scheduler
from pyhades.llm.engine.step_costs import StepCosts
from pyhades.llm.engine.work import Texts, Work, rows_of
from pyhades.llm.engine.workshop import Workshop
from pyhades.llm.speculation.speculation import Speculation
from pyhades.llm.text.outputs import Delta, EngineStats
from pyhades.llm.text.tokenizer import Tokenizer

DELTAS = 256
"""Deltas per answer that may wait for a reader before the answer waits for him."""
ROWS = 2
"""Pieces of rows of logits, of some 50 MB each, that may wait."""

T = TypeVar("T")


class Engine:
    """Runs the requests of all callers on one thread, which starts with the first of them.

    Callers leave orders, which are carried out between two steps, and read mailboxes. There is no
    lock to hold.

    Parameters
    ----------
    runner
        The model; from now on it belongs to the engine.
    tokenizer
        For the text of answers; None where there is none.
    name
        For messages.
    costs
        How long steps take; measured at start where None.
    speculation
        Drafts of tokens, tried where that pays; None for none. It belongs to the engine.
    """

    def __init__(
        self,
        runner: Runner,
        tokenizer: Tokenizer | None,
        name: str,
        costs: StepCosts | None = None,
        speculation: Speculation | None = None,
    ) -> None:
        self.name = name
        self.speculation = speculation
        self.runner = runner
        self._tokenizer = tokenizer
        self.costs = StepCosts.measured(runner) if costs is None else costs
        self._begin()
        lifetime.begins(self)

    def _begin(self) -> None:
        """As if no request had come yet."""
        self._orders = Orders()
        self._workshop = Workshop(self.runner, self.costs, self.speculation)
        self._thread: threading.Thread | None = None
        self._door = threading.Lock()
        self._is_closed = False
        self.runner.cache.wake_with(self._orders.wake)
        weakref.finalize(self, self._orders.wake)

    @property
    def scheduler(self) -> Scheduler:
        """What runs the requests together."""
        return self._workshop.scheduler

    # What callers do.

    def write(self, requests: Sequence[Request]) -> Handle[Delta]:
        """Answer prompts; the deltas of all answers, as they come.

        Raises
        ------
        ClosedError
            The model is closed.
        """
        room = DELTAS * sum(request.params.n for request in requests)
        return self._added(requests, room, Texts(self._tokenizer).delta)

    def rows(self, request: Request) -> Handle[Logits]:
        """Logits after every token, some rows at a time."""
        return self._added([request], ROWS, rows_of)

    def abort(self, work: Work[Any]) -> None:
        """Want nothing more of some requests."""
        if work.is_unwanted or work.mailbox.is_over:
            return
        work.is_unwanted = True
        self._orders.put(
            lambda: self._workshop.end(work, CancelledError("the request was aborted"))
        )
        self._stop_unwanted_step()

    def abort_answer(self, work: Work[Any], index: int) -> None:
        """Want nothing more of the answer ``index`` to the prompts of some work."""
        self._orders.put(lambda: self._workshop.finish(work, index))

    def declare(self, tokens: Sequence[int]) -> None:
        """Let all clients find what is read of texts that begin so."""
        self._orders.put(lambda: self.runner.cache.declare(tokens))

    def cancel(self) -> None:
        """Stop all work; whoever waits for it gets a CancelledError."""
        self._orders.put(lambda: self._workshop.end_all(CancelledError("the work was cancelled")))
        if self._workshop.in_step:
            self.runner.cancel()

    def close(self) -> None:
        """Stop all work and the thread; whoever waits gets a ClosedError."""
        with self._door:
            if self._is_closed:
                return
            self._is_closed = True
            thread = self._thread
        lifetime.ends(self)
        if thread is not None:
            self._orders.wake()
            self.runner.cancel()
            if thread is not threading.current_thread():
                thread.join()
        self.runner.close()

    def stats(self) -> EngineStats:
        """What it does, and has done so far; any thread may look while it works."""
        scheduler, pools = self.scheduler, self.runner.cache.pools.values()
        blocks = sum(pool.blocks for pool in pools)
        return EngineStats(
            scheduler.running, scheduler.waiting, scheduler.steps, scheduler.seconds,
            scheduler.seconds_in_model, scheduler.preemptions,
            blocks - sum(pool.free_blocks for pool in pools), blocks,
            None if self.speculation is None else self.speculation.counts(),
        )  # fmt: skip

    def _added(
        self, requests: Sequence[Request], room: int, receive: Callable[[Event], T]
    ) -> Handle[T]:
        work = Work(requests, Mailbox[T](room, self._orders.wake), receive)
        with self._door:  # nobody enters after it was closed
            if self._is_closed:
                raise ClosedError(f"{self.name} is closed; open it again")
            self._orders.put(lambda: self._workshop.take(work))
            if self._thread is None:
                self._thread = self._started()
        return Handle(self, work)

    def _started(self) -> threading.Thread:
        thread = threading.Thread(
            target=serve, args=(weakref.ref(self), self._orders), daemon=True,
            name=f"pyhades engine {self.name}",
        )  # fmt: skip
        thread.start()
        return thread

    def _stop_unwanted_step(self) -> None:
        """Do not finish a step that nobody waits for."""
        in_step = self._workshop.in_step
        if in_step and all(work.is_unwanted for work in in_step):
            self.runner.cancel()

    # What the thread does.

    def turn(self, first: Order) -> tuple[bool, bool]:
        """Carry out what was ordered, then a step if there is anything to do.

        Returns
        -------
        has_work, is_closed
            Whether the next turn need not wait for an order, and whether there is none.
        """
        is_closed = self._is_closed  # first: what was ordered before it was closed is carried out
        first()
        self._orders.carry_out()
        if is_closed:
            for work in self._workshop.all:
                error = ClosedError(f"{self.name} was closed while this was in work")
                self._workshop.end(work, error)
        else:
            self._workshop.step()
        self._workshop.wake_readers()
        return self.scheduler.has_work, is_closed

    # Other lives.

    def after_fork(self) -> None:
        """In a forked child: the thread is gone, and with it the work of the parent."""
        error = CancelledError(f"{self.name} was forked while it worked; ask again in the child")
        works, closed = self._workshop.all, self._is_closed
        self.runner.cache.reset()
        self._begin()
        self._is_closed = closed
        for work in works:
            work.mailbox.abandon(error)
