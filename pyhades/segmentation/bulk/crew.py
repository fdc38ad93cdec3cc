"""Workers that do the same, and where they sit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from pyhades.segmentation.clock import Clock

Item = TypeVar("Item")
Result = TypeVar("Result")
Taken = TypeVar("Taken", contravariant=True)
Given = TypeVar("Given", covariant=True)


class Worker(Protocol[Taken, Given]):
    """What one thread of a crew does with every item that it gets."""

    def __call__(self, item: Taken, /) -> Given:
        """The result; an exception takes its place."""

    def close(self) -> None:
        """There are no more items."""


@dataclass(frozen=True)
class Seat:
    """Where a worker sits.

    Attributes
    ----------
    number
        Of the worker, from 0.
    cpus
        Those that its threads may use; none leaves it where it is.
    node
        Whose queue it takes from first.
    clock
        Where it notes how long its stages take.
    """

    number: int
    cpus: tuple[int, ...]
    node: int
    clock: Clock


@dataclass(frozen=True)
class Crew(Generic[Item, Result]):
    """Workers that do the same.

    Attributes
    ----------
    name
        Of its threads.
    make
        Makes a worker, on its own thread, once that sits where it belongs: what it allocates and
        touches first lies on its node.
    seats
        CPUs and node of each.
    nbytes
        How many bytes of memory a result of this crew holds until the next crew is done with it.
    timed
        Of the last crew: makes a result out of one, and of the seconds that all stages of all crews
        have taken for it.
    """

    name: str
    make: Callable[[Seat], Worker[Item, Result]]
    seats: Sequence[tuple[tuple[int, ...], int]]
    nbytes: Callable[[Any], int] = lambda result: 0
    timed: Callable[[Any, Mapping[str, float]], Result] | None = None
