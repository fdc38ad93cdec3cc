"""What the pipeline asks of an engine: tensors of pictures in, predictions out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

States = list[NDArray[Any]]
"""What a recurrent network has seen."""

Run = Callable[[NDArray[np.float32], States], tuple[NDArray[Any], States]]
"""From a picture and states to a prediction and the states behind it."""


class Network(Protocol):
    """What cutting out asks of an engine; a test double may stand in."""

    def __call__(self, planes: NDArray[np.float32], /) -> NDArray[Any]:
        """Predict from float32 ``[1, 3, h, w]``."""

    def close(self) -> None:
        """Give back memory and threads; calling it twice is fine."""


class EngineNetwork(Network, Protocol):
    """What an engine makes of a model: any thread may call it."""

    @property
    def batch(self) -> int:
        """Most pictures that a call takes: ``[n, 3, h, w]`` gives ``[n, ...]``."""

    @property
    def arena_bytes(self) -> int:
        """Memory that each session takes while it runs, in bytes; 0 where it is not known."""

    def session(self, threads: int, replica: str = "") -> Network:
        """The network for one caller at a time, on threads of its own.

        It may have a method ``cancel``, which another thread calls: a run is to end early.
        """

    def sequence(self) -> Network:
        """The same network, which carries what it saw from call to call."""


class Remembering:
    """Frames in their order; a change of their size begins anew.

    Parameters
    ----------
    run
        One frame.
    first
        The states before the first one.
    """

    def __init__(self, run: Run, first: Callable[[], States]) -> None:
        self._run = run
        self._first = first
        self._states: States | None = None
        self._shape: tuple[int, ...] = ()

    def __call__(self, planes: NDArray[np.float32], /) -> NDArray[Any]:
        states = self._states
        if states is None or planes.shape != self._shape:
            states = self._first()
        output, self._states = self._run(planes, states)
        self._shape = planes.shape
        return output

    def close(self) -> None:
        """Forget what was seen; the network stays open."""
        self._states = None
