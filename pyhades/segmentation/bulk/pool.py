"""Workers on threads of their own: items in, results out, nothing lost and nothing twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pyhades import _native
from pyhades.arguments import check_count
from pyhades.errors import CancelledError, ClosedError
from pyhades.segmentation.bulk.crew import Crew, Seat, Worker
from pyhades.segmentation.bulk.queue import ItemQueue
from pyhades.segmentation.clock import Clock, StageReport
from pyhades.topology.affinity import pin_current_thread

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass
class _Parcel:
    """An item on its way through the crews."""

    number: int
    item: Any
    value: Any
    held: int = 0
    error: Exception | None = None
    stages: dict[str, float] = field(default_factory=dict)


class Pool(Generic[Item, Result]):
    """Crews that pass items on to one another; the last one's results come out.

    Parameters
    ----------
    crews
        In the order in which an item passes them. With one crew, a worker does everything that is
        to be done with an item.
    most_items
        Most items that are on their way, results that were not taken among them; by default twice
        as many as there are workers.
    most_bytes
        Most bytes of what one crew holds for the next, see :attr:`Crew.nbytes`; 0 for any number.
    distances
        Between nodes, row by row.
    before_closing
        Called when the pool closes, before it waits for workers: whoever they wait for is to let
        them go.

    Examples
    --------
    >>> class Doubling:
    ...     def __call__(self, item):
    ...         return 2 * item
    ...     def close(self):
    ...         pass
    >>> crew = Crew("doubling", lambda seat: Doubling(), [((), 0), ((), 0)])
    >>> with Pool([crew]) as pool:
    ...     [result for _, result in pool.run([1, 2, 3])]
    [2, 4, 6]
    """

    def __init__(
        self,
        crews: Sequence[Crew[Any, Any]],
        *,
        most_items: int | None = None,
        most_bytes: int = 0,
        distances: Sequence[Sequence[int]] = ((10,),),
        before_closing: Callable[[], object] = lambda: None,
    ) -> None:
        self._before_closing = before_closing
        workers = sum(len(crew.seats) for crew in crews)
        self.most_items = check_count(
            "most_items", 2 * workers if most_items is None else most_items
        )
        self._nodes = len(distances)
        self._queues: list[ItemQueue[_Parcel]] = [
            ItemQueue(self.most_items, most_bytes if number else 0, distances)
            for number in range(len(crews))
        ]
        self._results: ItemQueue[_Parcel] = ItemQueue(self.most_items)
        self._places = threading.Semaphore(self.most_items)
        self._failure: BaseException | None = None
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._clocks: list[Clock] = []
        self._threads: list[threading.Thread] = []
        for depth, crew in enumerate(crews):
            left = _Countdown(len(crew.seats), self._after(depth).close)
            for number, (cpus, node) in enumerate(crew.seats):
                seat = Seat(number, cpus, node % self._nodes, Clock())
                self._clocks.append(seat.clock)
                self._threads.append(threading.Thread(
                    target=self._work, args=(depth, crew, seat, left), daemon=True,
                    name=f"pyhades {crew.name} {number}",
                ))  # fmt: skip
        self._started = False

    def run(
        self, items: Iterable[Item], *, in_order: bool = True
    ) -> Iterator[tuple[Item, Result | Exception]]:
        """Every item with its result, or the exception that took its place; once for a pool.

        ``items`` are taken by a thread of the pool, as far ahead as there is room. All threads
        begin when the first result is asked for: a run that nobody takes holds none.

        Raises
        ------
        ClosedError
            The pool has run, or was closed.
        """
        with self._lock:
            if self._started or self._stopped.is_set():
                raise ClosedError("a pool runs once; make another one")
            self._started = True
        feeder = threading.Thread(
            target=self._feed, args=(iter(items),), daemon=True, name="pyhades feeder"
        )
        return self._outcomes(feeder, in_order)

    def _outcomes(self, feeder: threading.Thread, in_order: bool) -> Iterator[tuple[Any, Any]]:
        waiting: dict[int, _Parcel] = {}
        following = 0
        try:
            for thread in [feeder, *self._threads]:
                thread.start()
            for parcel in self._results.take():
                waiting[parcel.number] = parcel
                ready = [following] if in_order else [parcel.number]
                while ready and ready[0] in waiting:
                    done = waiting.pop(ready.pop())
                    self._places.release()
                    yield done.item, done.value if done.error is None else done.error
                    if in_order:
                        following += 1
                        ready = [following]
            if self._failure is not None:
                raise self._failure
        finally:
            self.close()

    @property
    def stages(self) -> StageReport:
        """Where the time went so far; any thread may look."""
        return StageReport.of(self._clocks)

    def stop(self) -> None:
        """Take no more items; those on their way are finished and come out of :meth:`run`."""
        self._stopped.set()
        self._places.release()  # the feeder may be waiting

    def close(self) -> None:
        """Drop what is on its way, and end the workers.

        The thread that takes items ends once the caller's iterator gives it another one: it may
        wait for somebody who types.
        """
        self._stopped.set()
        self._places.release()
        for queue in [*self._queues, self._results]:
            queue.cancel()
        self._before_closing()
        for thread in self._threads:
            if thread.is_alive() and thread is not threading.current_thread():
                thread.join()

    def __enter__(self) -> Pool[Item, Result]:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    # What threads do.

    def _feed(self, items: Iterator[Any]) -> None:
        try:
            for number in range(1 << 62):
                self._places.acquire()
                if self._stopped.is_set():
                    break
                try:
                    item = next(items)
                except StopIteration:
                    break
                self._queues[0].put(_Parcel(number, item, item), node=number % self._nodes)
        except (ClosedError, CancelledError):
            return
        except BaseException as error:  # of the caller's iterator: told once the others are done
            self._failure = error
        self._queues[0].close()

    def _work(self, depth: int, crew: Crew[Any, Any], seat: Seat, left: _Countdown) -> None:
        try:
            if seat.cpus:
                pin_current_thread(seat.cpus)
            _native.use_own_teams()
            worker, failure = _made(crew, seat)
            try:
                for parcel in self._queues[depth].take(seat.node):
                    self._pass_on(depth, crew, seat, worker, failure, parcel)
            finally:
                if worker is not None:
                    worker.close()
        except (ClosedError, CancelledError):
            return
        finally:
            left.one_less()

    def _pass_on(
        self, depth: int, crew: Crew[Any, Any], seat: Seat, worker: Worker[Any, Any] | None,
        failure: Exception | None, parcel: _Parcel,
    ) -> None:  # fmt: skip
        held, parcel.held = parcel.held, 0
        seat.clock.lap()  # what is left of a picture that failed
        try:
            if worker is None:
                assert failure is not None
                raise failure
            parcel.value = worker(parcel.value)
            for name, seconds in seat.clock.lap().items():  # crews may share the name of a stage
                parcel.stages[name] = parcel.stages.get(name, 0.0) + seconds
            if crew.timed is not None:
                parcel.value = crew.timed(parcel.value, parcel.stages)
        except Exception as error:
            parcel.error, parcel.value = error, None
        if held:
            self._queues[depth].give_back(held)
        if parcel.error is not None or depth + 1 == len(self._queues):
            self._results.put(parcel)
            return
        parcel.held = crew.nbytes(parcel.value)
        self._queues[depth + 1].put(parcel, parcel.held, parcel.number % self._nodes)

    def _after(self, depth: int) -> ItemQueue[_Parcel]:
        return self._results if depth + 1 == len(self._queues) else self._queues[depth + 1]


class _Countdown:
    """Calls ``at_zero`` when the last of several threads is done."""

    def __init__(self, count: int, at_zero: Callable[[], object]) -> None:
        self._count = count
        self._at_zero = at_zero
        self._lock = threading.Lock()

    def one_less(self) -> None:
        with self._lock:
            self._count -= 1
            if self._count:
                return
        self._at_zero()


def _made(crew: Crew[Any, Any], seat: Seat) -> tuple[Worker[Any, Any] | None, Exception | None]:
    """A worker, or why there is none: then its items come out with that."""
    try:
        return crew.make(seat), None
    except Exception as error:
        return None, error
