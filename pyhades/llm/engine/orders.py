"""What callers want of an engine's thread, and the thread that carries it out."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Callable
from typing import Protocol

Order = Callable[[], object]


class Orders:
    """Left by any thread, carried out by one of them between two steps."""

    def __init__(self) -> None:
        # Unlike a condition, a SimpleQueue may be used by a destructor, which the garbage
        # collector may call while the same thread is inside of it.
        self._queue: queue.SimpleQueue[Order] = queue.SimpleQueue()

    def put(self, order: Order) -> None:
        """Leave an order, which wakes the thread."""
        self._queue.put(order)

    def wake(self) -> None:
        """Wake the thread, which looks whether there is anything to do."""
        self._queue.put(nothing)

    def wait(self) -> Order:
        """The next order, as soon as there is one."""
        return self._queue.get()

    def carry_out(self) -> None:
        """Carry out all that were left."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._queue.get_nowait()()


class Worker(Protocol):
    """What the thread works for."""

    def turn(self, first: Order) -> tuple[bool, bool]:
        """Carry out orders and a step; whether the next need not wait, whether there is none."""


def serve(worker_of: Callable[[], Worker | None], orders: Orders) -> None:
    """The thread: holds nobody while it waits, so that one whom nobody uses can go.

    Parameters
    ----------
    worker_of
        A weak reference.
    orders
        Whoever goes leaves one.
    """
    has_work = False
    while True:
        order = nothing if has_work else orders.wait()
        worker = worker_of()
        if worker is None:
            return
        has_work, is_closed = worker.turn(order)
        if is_closed:
            return
        del worker, order


def nothing() -> None:
    """An order that wakes the thread."""
