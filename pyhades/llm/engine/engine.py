"""The thread that owns a model, and works for everybody who asks."""

from __future__ import annotations

import atexit
import contextlib
import os
import queue
import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pyhades.errors import CancelledError, ClosedError
from pyhades.llm.engine.answer import Answer, Event
from pyhades.llm.engine.handle import Handle
from pyhades.llm.engine.mailbox import Mailbox, Wakings
from pyhades.llm.engine.request import Request
from pyhades.llm.engine.runner import Logits, Runner
from pyhades.llm.engine.scheduler import Scheduler
from pyhades.llm.engine.step_costs import StepCosts
from pyhades.llm.engine.text_stream import TextStream
from pyhades.llm.speculation.speculation import Speculation
from pyhades.llm.text.outputs import Delta, EngineStats
from pyhades.llm.text.tokenizer import Tokenizer

DELTAS = 256
"""Deltas per answer that may wait for a reader before the answer waits for him."""
ROWS = 2
"""Pieces of rows of logits, of some 50 MB each, that may wait."""

T = TypeVar("T")
Order = Callable[[], object]


@dataclass(eq=False)
class Work(Generic[T]):
    """Requests of one call.

    Attributes
    ----------
    requests
        Their prompts.
    mailbox
        Where their reader gets what comes.
    receive
        What an event is to the reader.
    answers
        Those that are not done, once the engine has taken the requests.
    is_unwanted
        Whether the reader has gone.
    """

    requests: Sequence[Request]
    mailbox: Mailbox[T]
    receive: Callable[[Event], T]
    answers: set[Answer] = field(default_factory=set)
    is_unwanted: bool = False

    def __repr__(self) -> str:
        state = "done" if self.mailbox.is_over else "unwanted" if self.is_unwanted else "in work"
        return f"{len(self.requests)} requests, {state}"


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
        _ENGINES.add(self)

    def _begin(self) -> None:
        """As if no request had come yet."""
        self.scheduler = Scheduler(
            self.runner, self.costs, self._is_suspended, speculation=self.speculation
        )
        # Unlike a condition, a SimpleQueue may be used by a destructor, which the garbage
        # collector may call while the same thread is inside of it.
        self._orders: queue.SimpleQueue[Order] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._door = threading.Lock()
        self._works: set[Work[Any]] = set()
        self._of_answer: dict[Answer, Work[Any]] = {}
        self._in_step: frozenset[Work[Any]] = frozenset()
        self._wakings = Wakings()
        self._is_closed = False
        self.runner.cache.wake_with(_waker(self))
        weakref.finalize(self, self._orders.put, _nothing)

    # What callers do.

    def write(self, requests: Sequence[Request]) -> Handle[Delta]:
        """Answer prompts; the deltas of all answers, as they come.

        Raises
        ------
        ClosedError
            The model is closed.
        """
        room = DELTAS * sum(request.params.n for request in requests)
        return self._added(requests, room, _Texts(self._tokenizer).delta)

    def rows(self, request: Request) -> Handle[Logits]:
        """Logits after every token, some rows at a time."""
        return self._added([request], ROWS, _rows)

    def abort(self, work: Work[Any]) -> None:
        """Want nothing more of some requests."""
        if work.is_unwanted or work.mailbox.is_over:
            return
        work.is_unwanted = True
        self._order(lambda: self._end(work, CancelledError("the request was aborted")))
        self._stop_unwanted_step()

    def abort_answer(self, work: Work[Any], index: int) -> None:
        """Want nothing more of the answer ``index`` to the prompts of some work."""
        self._order(lambda: self._finish([a for a in work.answers if a.index == index]))

    def declare(self, tokens: Sequence[int]) -> None:
        """Let all clients find what is read of texts that begin so."""
        self._order(lambda: self.runner.cache.declare(tokens))

    def cancel(self) -> None:
        """Stop all work; whoever waits for it gets a CancelledError."""
        self._order(lambda: self._end_all(CancelledError("the work was cancelled")))
        if self._in_step:
            self.runner.cancel()

    def close(self) -> None:
        """Stop all work and the thread; whoever waits gets a ClosedError."""
        with self._door:
            if self._is_closed:
                return
            self._is_closed = True
            thread = self._thread
        _ENGINES.discard(self)
        if thread is not None:
            self._order(_nothing)
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
        work = Work(requests, Mailbox[T](room, self._wake), receive)
        with self._door:  # nobody enters after it was closed
            if self._is_closed:
                raise ClosedError(f"{self.name} is closed; open it again")
            self._order(lambda: self._take(work))
            if self._thread is None:
                self._thread = self._started()
        return Handle(self, work)

    def _started(self) -> threading.Thread:
        thread = threading.Thread(
            target=_serve, args=(weakref.ref(self), self._orders), daemon=True,
            name=f"pyhades engine {self.name}",
        )  # fmt: skip
        thread.start()
        return thread

    def _order(self, order: Order) -> None:
        self._orders.put(order)

    def _wake(self) -> None:
        """A reader who had fallen behind has caught up, or something was fetched."""
        self._order(_nothing)

    def _stop_unwanted_step(self) -> None:
        """Do not finish a step that nobody waits for."""
        in_step = self._in_step
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
        with contextlib.suppress(queue.Empty):
            while True:
                self._orders.get_nowait()()
        if is_closed:
            for work in list(self._works):
                self._end(work, ClosedError(f"{self.name} was closed while this was in work"))
        else:
            self.scheduler.receive()
            if self.scheduler.has_work:
                self._step()
        self._wakings.send()
        return self.scheduler.has_work, is_closed

    def _take(self, work: Work[Any]) -> None:
        if work.is_unwanted:
            return
        self._works.add(work)
        try:
            for request in work.requests:
                for answer in self.scheduler.add(request):
                    work.answers.add(answer)
                    self._of_answer[answer] = work
        except Exception as error:  # such as of a filter of tokens; the thread goes on
            self._end(work, error)
        else:
            if not work.answers:  # of no prompts
                self._end(work, None)

    def _step(self) -> None:
        self._in_step = frozenset(self._works)
        self.runner.allow()
        try:
            events = self.scheduler.step()
        except CancelledError:
            return  # there is an order that says what to do
        except Exception as error:  # whoever waits must hear of it, and the thread goes on
            self._end_all(error)
            return
        finally:
            self._in_step = frozenset()
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
            self._end(work, error)

    def _finish(self, answers: Sequence[Answer]) -> None:
        self.scheduler.drop(answers)
        for answer in answers:
            work = self._of_answer.pop(answer)
            work.answers.discard(answer)
            if not work.answers:
                self._end(work, None)

    def _end(self, work: Work[Any], error: BaseException | None) -> None:
        """Let go of what is left of some requests."""
        self.scheduler.drop(work.answers)
        for answer in work.answers:
            self._of_answer.pop(answer, None)
        work.answers.clear()
        self._works.discard(work)
        work.mailbox.end(error, self._wakings)

    def _end_all(self, error: BaseException) -> None:
        for work in list(self._works):
            self._end(work, error)

    def _is_suspended(self, answer: Answer) -> bool:
        return self._of_answer[answer].mailbox.is_full

    # Other lives.

    def after_fork(self) -> None:
        """In a forked child: the thread is gone, and with it the work of the parent."""
        error = CancelledError(f"{self.name} was forked while it worked; ask again in the child")
        works, closed = self._works, self._is_closed
        self.runner.cache.reset()
        self._begin()
        self._is_closed = closed
        for work in works:
            work.mailbox.abandon(error)


class _Texts:
    """The streams of text of some answers."""

    def __init__(self, tokenizer: Tokenizer | None) -> None:
        self._tokenizer = tokenizer
        self._streams: dict[Answer, TextStream] = {}

    def delta(self, event: Event) -> Delta:
        stream = self._streams.get(event.answer)
        if stream is None:
            stream = self._streams[event.answer] = TextStream(event.answer, self._tokenizer)
        return stream.push(event)


def _rows(event: Event) -> Logits:
    assert event.rows is not None
    return event.rows


def _nothing() -> None:
    """An order that wakes the thread."""


def _waker(engine: Engine) -> Callable[[], None]:
    """Wakes the thread of an engine, and keeps none alive."""
    engine_of = weakref.ref(engine)

    def wake() -> None:
        engine = engine_of()
        if engine is not None:
            engine._wake()

    return wake


def _serve(engine_of: Callable[[], Engine | None], orders: queue.SimpleQueue[Order]) -> None:
    """The thread: holds no engine while it waits, so that one that nobody uses can go."""
    has_work = False
    while True:
        order = _nothing if has_work else orders.get()
        engine = engine_of()
        if engine is None:
            return
        has_work, is_closed = engine.turn(order)
        if is_closed:
            return
        del engine, order


_ENGINES: weakref.WeakSet[Engine] = weakref.WeakSet()


def _close_all() -> None:
    """Before the interpreter goes: a thread that comes back from a step would find none."""
    for engine in list(_ENGINES):
        engine.close()


def _after_fork() -> None:
    for engine in list(_ENGINES):
        engine.after_fork()


atexit.register(_close_all)
os.register_at_fork(after_in_child=_after_fork)
