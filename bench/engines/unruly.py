"""An engine that stops working in the middle of a run."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyhades.engines import Model, OnnxRuntime
from pyhades.engines.network import EngineNetwork, Network

FAULTS = ("fails", "hangs", "returns late", "returns nonsense")


class Unruly:
    """Another engine, whose runs go wrong from some number on.

    Parameters
    ----------
    engine
        What works until then.
    how
        One of ``FAULTS``.
    after
        Runs that work. What is late is so once.
    """

    def __init__(self, engine: OnnxRuntime, how: str, after: int) -> None:
        self._engine = engine
        self._how = how
        self._after = after
        self.name, self.label = engine.name, engine.label
        self.batch, self.cores = engine.batch, engine.cores
        self.takes_foreign = engine.takes_foreign

    def lanes(self, workers: int, beside: bool) -> int:
        """As many as of the engine."""
        return self._engine.lanes(workers, beside)

    def network(self, model: Model) -> EngineNetwork:
        """The engine's own, with the fault."""
        return _Network(self._engine.network(model), self._how, self._after)

    def __repr__(self) -> str:
        return f"{self._engine!r} that {self._how} after {self._after} runs"


class _Network:
    def __init__(self, network: EngineNetwork, how: str, after: int) -> None:
        self._network = network
        self._fault = how, after
        self._numbers = itertools.count()
        self.batch = network.batch
        self.arena_bytes = network.arena_bytes

    def __call__(self, planes: NDArray[np.float32], /) -> NDArray[Any]:
        return self._network(planes)

    def session(self, threads: int, replica: str = "") -> Network:
        return _Session(self._network.session(threads, replica), self._fault, self._numbers)

    def sequence(self) -> Network:
        return self._network.sequence()

    def close(self) -> None:
        self._network.close()


class _Session:
    def __init__(self, network: Network, fault: tuple[str, int], numbers: Iterator[int]) -> None:
        self._network = network
        self._how, self._after = fault
        self._numbers = numbers
        self._told = threading.Event()

    def __call__(self, planes: NDArray[np.float32], /) -> NDArray[Any]:
        number = next(self._numbers)
        result = self._network(planes)
        if number < self._after:
            return result
        if self._how == "fails":
            raise RuntimeError("the device is gone")
        if self._how == "hangs":
            threading.Event().wait()
        if self._how == "returns late" and number == self._after:
            self._told.wait()  # until it was given up
        return result * np.nan if self._how == "returns nonsense" else result

    def cancel(self) -> None:
        self._told.set()

    def close(self) -> None:
        self._network.close()
