"""A network behind a queue, which engines take from."""

from __future__ import annotations

import functools
import os
import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyhades.engines.engine import Engine, Model
from pyhades.engines.exchange import Exchange
from pyhades.engines.network import EngineNetwork, Network
from pyhades.engines.ours import Pyhades
from pyhades.engines.patience import Patience
from pyhades.engines.requests import Place
from pyhades.errors import ClosedError, EngineError


@dataclass(frozen=True)
class Worker:
    """Of a plan: where one of our own sessions runs, and with whose weights."""

    cpus: tuple[int, ...] = ()
    replica: str = ""


ANYWHERE = Worker()


class HybridNetwork:
    """A network that is run by whichever engine is free.

    Parameters
    ----------
    engines
        The fastest first.
    networks
        One of each; they are closed with this one.
    model
        What they run.
    patience
        How long they are waited for.
    """

    batch = 1

    def __init__(
        self,
        engines: Sequence[Engine],
        networks: Sequence[EngineNetwork],
        model: Model,
        patience: Patience | None = None,
    ) -> None:
        self._engines = tuple(engines)
        self._patience = patience or Patience()
        self._networks = list(networks)
        self._model = model
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._exchange: Exchange | None = None
        self._last = threading.local()
        self._closed = False

    @property
    def arena_bytes(self) -> int:
        """Of each session, as far as it is known."""
        return max(network.arena_bytes for network in self._networks)

    def __call__(self, planes: NDArray[np.float32], /) -> NDArray[Any]:
        """Predict from float32 ``[1, 3, h, w]``."""
        answer, self._last.engine = self._shared().ask(planes)
        return answer

    @property
    def engine(self) -> str:
        """Which engine has answered the calling thread last."""
        return str(getattr(self._last, "engine", ""))

    def session(self, threads: int, replica: str = "") -> Network:
        """For one caller, who can see which engine has answered."""
        return Asker(self._shared())

    def sequence(self) -> Network:
        """Frames of a recurrent network are all for the first engine."""
        return self._recurrent() if self._model.plan.states else Asker(self._shared())

    def _recurrent(self) -> Network:
        return _Named(self._networks[0].sequence(), self._engines[0].label)

    def callers(self, workers: int) -> int:
        """How many should ask at a time, so that no consumer waits for pictures."""
        return sum(2 * self._networks[number].batch for number in self._lanes(workers))

    def _lanes(self, workers: int) -> list[int]:
        """The engine of every consumer."""
        beside = len(self._engines) > 1
        return [
            number
            for number, engine in enumerate(self._engines)
            for _ in range(engine.lanes(workers, beside))
        ]

    def exchange(
        self,
        workers: Sequence[Worker] = (ANYWHERE,),
        threads: int | None = None,
        seconds: float | None = None,
    ) -> Exchange:
        """Consumers of all engines behind a queue.

        Parameters
        ----------
        workers
            Where our own sessions run.
        threads
            Of each.
        seconds
            That a picture may take; by default what the engines' patience says.
        """
        if self._closed:
            raise ClosedError("the network was closed")
        free = iter(workers)
        places = []
        for number in self._lanes(len(workers)):
            engine, network = self._engines[number], self._networks[number]
            worker = next(free) if isinstance(engine, Pyhades) else ANYWHERE
            beside = engine.cores if len(self._networks) > 1 else 0
            count = beside or threads or self._model.options.threads_used
            make = functools.partial(network.session, count, worker.replica)
            places.append(Place(number, make, network.batch, worker.cpus))
        patience = self._patience
        if seconds is not None:
            patience = replace(patience, seconds=seconds)
        return Exchange(
            [engine.label for engine in self._engines], places, patience, self._check(),
            self._recurrent if self._model.plan.states else None,
        )  # fmt: skip

    def _shared(self) -> Exchange:
        """For callers that come one by one."""
        if self._process != os.getpid():  # forked: the consumers are threads of the parent
            self._process, self._exchange, self._lock = os.getpid(), None, threading.Lock()
        with self._lock:
            if self._exchange is None:
                self._exchange = self.exchange()
                weakref.finalize(self, _close_beside, self._exchange).atexit = False
            return self._exchange

    def _check(self) -> Callable[[NDArray[np.float32], NDArray[Any]], None]:
        """What looks at predictions: they have the shape that the file declares, or the first."""
        value = next(v for v in self._model.graph.outputs if v.name == self._model.output_name)
        declared = None if value.type is None else value.type.shape
        known: dict[tuple[int, ...], tuple[int | str, ...]] = {}
        # Another size than that of the file is another prediction.
        size = self._model.plan.side

        def check(planes: NDArray[np.float32], result: NDArray[Any]) -> None:
            if result.dtype.kind not in "fiub" or result.ndim < 2:
                raise EngineError(f"it gave {result.dtype} {result.shape}, which is no map")
            if not np.isfinite(result).all():
                raise EngineError("it gave numbers that are not finite")
            expected = known.get(planes.shape)
            if expected is None and declared is not None and None not in size:
                expected = tuple(declared)
            if expected is not None and not _fits(result.shape, expected):
                raise EngineError(f"it gave {result.shape}, where {expected} is expected")
            known.setdefault(planes.shape, result.shape)

        return check

    def close(self) -> None:
        """Close the networks of all engines."""
        with self._lock:
            self._closed = True
            exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.close()
        for network in self._networks:
            network.close()


def _close_beside(exchange: Exchange) -> None:
    """Of a network that nobody closed; whoever collects it may hold anything, and is not held."""
    threading.Thread(target=exchange.close, daemon=True, name="pyhades closing").start()


class Asker:
    """A network for one caller.

    Attributes
    ----------
    engine
        Which engine has made the last prediction.
    """

    def __init__(self, exchange: Exchange) -> None:
        self.engine = ""
        self._exchange = exchange

    def __call__(self, planes: NDArray[np.float32], /) -> NDArray[Any]:
        answer, self.engine = self._exchange.ask(planes)
        return answer

    def sequence(self) -> Network:
        """For the frames of one film."""
        make = self._exchange.sequence
        return self if make is None else make()

    def close(self) -> None:
        """Nothing is held."""


class _Named:
    """A network, and which engine runs it."""

    def __init__(self, network: Network, engine: str) -> None:
        self._network = network
        self.engine = engine

    def __call__(self, planes: NDArray[np.float32], /) -> NDArray[Any]:
        return self._network(planes)

    def close(self) -> None:
        self._network.close()


def _fits(shape: Sequence[int], expected: Sequence[int | str]) -> bool:
    """Whether all extents but the batch are those that are known."""
    pairs = zip(shape[1:], expected[1:], strict=False)
    return len(shape) == len(expected) and all(isinstance(b, str) or a == b for a, b in pairs)
