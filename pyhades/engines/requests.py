"""Pictures that wait for engines, and who takes them."""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyhades.engines.network import Network
from pyhades.engines.patience import Patience, Tally


@dataclass(eq=False)
class Request:
    """A picture that waits for an engine.

    Attributes
    ----------
    planes
        float32 ``[1, 3, h, w]``.
    done
        Set once there is an answer or an error.
    refused
        Numbers of engines that have failed with it.
    reasons
        How they did.
    """

    planes: NDArray[np.float32]
    done: threading.Event = field(default_factory=threading.Event)
    answer: NDArray[Any] | None = None
    engine: str = ""
    error: Exception | None = None
    refused: set[int] = field(default_factory=set)
    reasons: list[str] = field(default_factory=list)

    def fail(self, error: Exception) -> None:
        """Tell who waits."""
        self.error = error
        self.done.set()


@dataclass(eq=False)
class Run:
    """What a consumer works on; ``waited`` counts only seconds in which somebody looked."""

    requests: list[Request]
    began: float
    limit: float
    waited: float = 0.0


@dataclass(frozen=True)
class Place:
    """Of a consumer.

    Attributes
    ----------
    engine
        Its number.
    make
        Makes its network, on its own thread.
    batch
        Most pictures that it takes at once.
    cpus
        Where it runs; none for anywhere.
    """

    engine: int
    make: Callable[[], Network]
    batch: int = 1
    cpus: tuple[int, ...] = ()


@dataclass(eq=False)
class Consumer:
    """A thread that takes pictures for an engine.

    Attributes
    ----------
    run
        What it works on; None where it waits. What comes of another run is late.
    is_lost
        Whether it was given up, until it comes back.
    """

    place: Place
    tally: Tally
    woken: threading.Condition
    run: Run | None = None
    network: Network | None = None
    has_run: bool = False
    is_idle: bool = False
    is_lost: bool = False
    thread: threading.Thread | None = None

    @property
    def is_there(self) -> bool:
        """Whether it takes pictures, now or soon."""
        return not (self.is_lost or self.tally.retired)

    def cancel(self) -> None:
        """Ask the network to end its run, where it can."""
        cancel = getattr(self.network, "cancel", None)
        if cancel is not None:
            with suppress(Exception):
                cancel()


class Waiting:
    """Pictures in the order in which they came, and the consumers that take them.

    Attributes
    ----------
    lock
        Of everything here, and of what consumers hold. Whoever calls a method has it, but for
        :meth:`take`.
    is_closed
        Whether nobody takes anything any more.
    """

    def __init__(self, places: Sequence[Place], tallies: Sequence[Tally]) -> None:
        self.lock = threading.Lock()
        self.is_closed = False
        self.consumers = [
            Consumer(place, tallies[place.engine], threading.Condition(self.lock))
            for place in places
        ]
        self._requests: deque[Request] = deque()

    def put(self, request: Request, first: bool = False) -> None:
        """Wake somebody for a picture: who gathers a batch, and one who is idle."""
        (self._requests.appendleft if first else self._requests.append)(request)
        for consumer in self.consumers:
            if not consumer.is_idle and consumer.run is None:
                consumer.woken.notify()
        for consumer in self.consumers:
            if consumer.is_idle and consumer.place.engine not in request.refused:
                consumer.is_idle = False
                consumer.woken.notify()
                return

    def wake_all(self) -> None:
        """Something else has changed."""
        for consumer in self.consumers:
            consumer.woken.notify()

    def is_wanted(self, request: Request) -> bool:
        """Whether somebody is left who may take it."""
        return any(c.is_there and c.place.engine not in request.refused for c in self.consumers)

    def drop(self, is_dropped: Callable[[Request], bool]) -> list[Request]:
        """Take those out that nobody is to take."""
        dropped = [request for request in self._requests if is_dropped(request)]
        for request in dropped:
            self._requests.remove(request)
        return dropped

    def take(self, consumer: Consumer, patience: Patience) -> Run | None:
        """The next pictures, once there are any; None where there will be no more.

        Who takes several waits a moment for a whole batch. Meanwhile they stay in the queue, and
        others may take them.
        """
        with self.lock:
            deadline = None
            while not self.is_closed and not consumer.tally.retired:
                ready = self._ready(consumer)
                now = time.monotonic()
                if ready and deadline is None:
                    deadline = now + patience.gather
                if ready and (len(ready) == consumer.place.batch or now >= (deadline or now)):
                    return self._handed(consumer, ready, now, patience)
                deadline = deadline if ready else None
                consumer.is_idle = not ready
                consumer.woken.wait(None if deadline is None else deadline - now)
            consumer.is_idle = False
            return None

    def _ready(self, consumer: Consumer) -> list[Request]:
        """Those of a batch have one size."""
        own = (r for r in self._requests if consumer.place.engine not in r.refused)
        first = next(own, None)
        if first is None:
            return []
        alike = (r for r in own if r.planes.shape == first.planes.shape)
        return [first, *itertools.islice(alike, consumer.place.batch - 1)]

    def _handed(
        self, consumer: Consumer, requests: list[Request], now: float, patience: Patience
    ) -> Run:
        for request in requests:
            self._requests.remove(request)
        slowest = consumer.tally.slowest if consumer.has_run else None
        run = Run(requests, now, patience.limit(len(requests), slowest))
        consumer.run, consumer.is_idle = run, False
        return run
