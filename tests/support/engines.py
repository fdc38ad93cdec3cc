"""Engines that do what a test tells them to."""

from __future__ import annotations

import functools
import itertools
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

Behaviour = Callable[[int, Any], Any]
"""From the number of a call and its pictures to the prediction."""


def brightness(call: int, planes: Any) -> Any:
    """Bright is foreground; for any number of pictures."""
    return planes.mean(axis=1, keepdims=True)


def failing(call: int, planes: Any) -> Any:
    """Every run raises."""
    raise RuntimeError("the device is gone")


def failing_from(first: int) -> Behaviour:
    """Runs raise from a number on."""
    return lambda call, planes: (brightness if call < first else failing)(call, planes)


class Gate:
    """Holds runs up until it is opened."""

    def __init__(self, first: int = 0, last: int = 1 << 30) -> None:
        self._opened = threading.Event()
        self._held = range(first, last)
        self.entered = threading.Event()
        self.cancelled = threading.Event()

    def __call__(self, call: int, planes: Any) -> Any:
        if call in self._held:
            self.entered.set()
            self._opened.wait(60)
        return brightness(call, planes)

    def open(self) -> None:
        """Let all of them go on."""
        self._opened.set()


class Scripted:
    """An engine whose runs a function makes up."""

    def __init__(
        self, name: str, behaviour: Behaviour = brightness, *, batch: int = 1, lanes: int = 1
    ) -> None:
        self.name = self.label = name
        self.batch = batch
        self.cores = 0
        self.takes_foreign = True
        self._lanes = lanes
        self._behaviour = behaviour
        self.sizes: list[int] = []

    def lanes(self, workers: int, beside: bool) -> int:
        return self._lanes

    def network(self, model: Any) -> ScriptedNetwork:
        return ScriptedNetwork(self, self._behaviour)

    def __repr__(self) -> str:
        return f"Scripted({self.name})"


class ScriptedNetwork:
    """All sessions of an engine count their calls together."""

    arena_bytes = 0

    def __init__(self, engine: Scripted, behaviour: Behaviour) -> None:
        self.batch = engine.batch
        self._engine = engine
        self._behaviour = behaviour
        self._numbers = itertools.count()

    def __call__(self, planes: Any) -> Any:
        self._engine.sizes.append(len(planes))
        return self._behaviour(next(self._numbers), planes)

    def session(self, threads: int, replica: str = "") -> ScriptedSession:
        return ScriptedSession(self, getattr(self._behaviour, "cancelled", None))

    def sequence(self) -> ScriptedSession:
        return self.session(1)

    def close(self) -> None:
        pass


class ScriptedSession:
    def __init__(self, network: ScriptedNetwork, cancelled: threading.Event | None) -> None:
        self._network = network
        if cancelled is not None:
            self.cancel = cancelled.set

    def __call__(self, planes: Any) -> Any:
        return self._network(planes)

    def close(self) -> None:
        pass


def slow(seconds: float) -> Behaviour:
    """A run takes so long."""

    def run(call: int, planes: Any) -> Any:
        threading.Event().wait(seconds)
        return brightness(call, planes)

    return run


def picture(number: int, side: int = 8) -> Any:
    """float32 ``[1, 3, side, side]`` of one number, by which its answer is known."""
    return np.full((1, 3, side, side), number / 1000, np.float32)


def made_by(engine: Scripted) -> Any:
    """What makes a network of an engine, without a model."""
    network = engine.network(None)
    return functools.partial(network.session, 1)
