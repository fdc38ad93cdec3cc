"""One queue of pictures, from which consumers of several engines take.

Whoever asks waits for an answer of its own, which it gets exactly once. A consumer that fails,
answers too late or hangs costs the pictures that it works on at that moment, and these go to
another engine, once. Askers are the ones who look whether consumers hang.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyhades import _native
from pyhades.engines.network import Network
from pyhades.engines.parting import close_at_exit
from pyhades.engines.patience import FIRST_SECONDS, Patience, Tally
from pyhades.engines.predicting import Check, predicted
from pyhades.engines.requests import Consumer, Place, Request, Run, Waiting
from pyhades.errors import ClosedError, EngineError, PyhadesError
from pyhades.topology.affinity import pin_current_thread

log = logging.getLogger(__name__)

PARTING_SECONDS = 2.0
"""That consumers have to end when all is done; a run that goes on longer is left alone."""


class Exchange:
    """Hands pictures to whichever consumer is free; consumers begin with the first picture.

    Parameters
    ----------
    labels
        Of the engines.
    places
        Of the consumers, the fastest engine's first.
    patience
        How long engines are waited for.
    check
        Looks at every prediction.
    sequence
        Makes a network for frames that depend on one another; None where they do not.

    Attributes
    ----------
    tallies
        What each engine has done.
    """

    def __init__(
        self,
        labels: Sequence[str],
        places: Sequence[Place],
        patience: Patience,
        check: Check = lambda planes, result: None,
        sequence: Callable[[], Network] | None = None,
    ) -> None:
        self.sequence = sequence
        self.tallies = [Tally(label) for label in labels]
        self._patience = patience
        self._check = check
        self._waiting = Waiting(places, self.tallies)
        self._lock = self._waiting.lock
        self._looked = 0.0
        self._has_begun = False
        self._parting: float | None = None

    def ask(self, planes: NDArray[np.float32]) -> tuple[NDArray[Any], str]:
        """The prediction for a picture, and which engine made it.

        Raises
        ------
        EngineError
            All engines that it was given to have failed, or none is left.
        ClosedError
            The exchange was closed.
        """
        request = Request(planes)
        with self._lock:
            if self._waiting.is_closed:
                raise ClosedError("the engines were closed")
            if not self._has_begun:
                self._begin()
            if not self._waiting.is_wanted(request):
                raise self._nobody(request)
            self._waiting.put(request)
        while not request.done.wait(self._patience.tick):
            self._look()
        if request.error is not None:
            raise request.error
        assert request.answer is not None
        return request.answer, request.engine

    def _begin(self) -> None:
        self._has_begun = True
        close_at_exit(self)
        self._looked = time.monotonic()
        for number, consumer in enumerate(self._waiting.consumers):
            # Making a network may take long, and may hang, too.
            consumer.run = Run([], self._looked, FIRST_SECONDS)
            consumer.thread = threading.Thread(
                target=self._work, args=(consumer,), daemon=True,
                name=f"pyhades {consumer.tally.label} {number}",
            )  # fmt: skip
            consumer.thread.start()

    def close(self) -> None:
        """End the consumers; who still waits gets ClosedError. Those that hang are left alone."""
        consumers = self._waiting.consumers
        with self._lock:
            self._waiting.is_closed = True
            if self._parting is None:  # who closes twice waits once
                self._parting = time.monotonic() + PARTING_SECONDS
            runs = [consumer.run for consumer in consumers if consumer.run is not None]
            begun = [request for run in runs for request in run.requests]
            for request in [*self._waiting.drop(lambda request: True), *begun]:
                request.fail(ClosedError("the engines were closed"))
            self._waiting.wake_all()
        for consumer in consumers:
            if consumer.run is not None:
                consumer.cancel()
        for consumer in consumers:
            thread = consumer.thread
            if thread is not None and thread is not threading.current_thread():
                left = max(0.0, self._parting - time.monotonic())
                thread.join(0 if consumer.is_lost else left)

    # What consumers do.

    def _work(self, consumer: Consumer) -> None:
        if consumer.place.cpus:
            pin_current_thread(consumer.place.cpus)
        _native.use_own_teams()
        try:
            consumer.network = network = consumer.place.make()
        except BaseException as error:  # of an engine: nobody else would hear of SystemExit
            with self._lock:
                consumer.run = None
                self._retire(consumer.tally, f"it cannot be made: {_told(error)}")
            return
        with self._lock:
            consumer.run, consumer.is_lost = None, False
        try:
            while (run := self._waiting.take(consumer, self._patience)) is not None:
                began = time.monotonic()
                try:
                    result: list[NDArray[Any]] | Exception = predicted(network, run, self._check)
                except Exception as error:
                    result = error
                except BaseException as error:  # nobody else would hear of SystemExit
                    result = EngineError(_told(error))
                with self._lock:
                    self._settle(consumer, run, result, time.monotonic() - began)
        finally:
            with suppress(Exception):  # of an engine that has failed before, mostly
                network.close()

    # What is decided, with the lock.

    def _settle(
        self, consumer: Consumer, run: Run, result: list[NDArray[Any]] | Exception, seconds: float
    ) -> None:
        if consumer.run is not run:  # it was given up, and is back
            consumer.is_lost = False
            consumer.tally.late += len(run.requests)
            return
        consumer.run = None
        if self._waiting.is_closed:
            return
        if isinstance(result, Exception):
            self._failed(consumer, run, result)
            return
        consumer.has_run = True
        consumer.tally.count(len(run.requests), seconds)
        for request, answer in zip(run.requests, result, strict=True):
            request.answer, request.engine = answer, consumer.tally.label
            request.done.set()

    def _failed(self, consumer: Consumer, run: Run, error: Exception) -> None:
        """Count it, give the pictures to others, and part with an engine that fails and fails."""
        tally, number = consumer.tally, consumer.place.engine
        tally.failures += 1
        tally.last = _told(error)
        # Pictures that failed elsewhere, too, and sizes that a network does not take, say nothing
        # about the engine.
        is_picture = isinstance(error, PyhadesError) and not isinstance(error, EngineError)
        if not is_picture and any(not request.refused for request in run.requests):
            tally.in_a_row += 1
        if tally.in_a_row >= self._patience.failures and not tally.retired:
            self._retire(tally, f"{tally.in_a_row} failures in a row, the last: {tally.last}")
        for request in reversed(run.requests):
            request.refused.add(number)
            request.reasons.append(f"{tally.label}: {tally.last}")
            is_first = len(request.refused) == 1
            if is_first and self._waiting.is_wanted(request):
                tally.given_back += 1
                self._waiting.put(request, first=True)
            else:
                request.fail(error if is_picture and is_first else self._nobody(request))
        self._sweep()

    def _retire(self, tally: Tally, why: str) -> None:
        tally.retired = why
        log.warning("engine %s is retired: %s", tally.label, why)
        self._waiting.wake_all()
        self._sweep()

    def _sweep(self) -> None:
        """Tell those that nobody is left for."""
        for request in self._waiting.drop(lambda request: not self._waiting.is_wanted(request)):
            request.fail(self._nobody(request))

    def _nobody(self, request: Request) -> EngineError:
        if any(consumer.is_there for consumer in self._waiting.consumers):
            return EngineError("; ".join(request.reasons))
        gone = [f"{tally.label} ({tally.retired or tally.last})" for tally in self.tallies]
        return EngineError(f"no engine is left: {'; '.join(gone)}")

    def _look(self) -> None:
        """Give up consumers that take too long."""
        lost = []
        with self._lock:
            now = time.monotonic()
            # A process that was stopped for a while, or a machine that slept, hangs in no engine.
            passed = min(now - self._looked, 2 * self._patience.tick)
            self._looked = now
            for consumer in self._waiting.consumers:
                run = consumer.run
                if run is None or consumer.is_lost:
                    continue
                run.waited += min(passed, now - run.began)
                if run.waited > run.limit:
                    consumer.run, consumer.is_lost = None, True
                    error = EngineError(f"no answer within {run.limit:.3g} s")
                    log.warning("engine %s: %s", consumer.tally.label, error)
                    self._failed(consumer, run, error)
                    lost.append(consumer)
        for consumer in lost:
            consumer.cancel()


def _told(error: BaseException) -> str:
    return (str(error) if isinstance(error, Exception) else repr(error)) or type(error).__name__
