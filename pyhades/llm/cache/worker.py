"""A thread that carries out orders, for as long as somebody may give any."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable

Order = Callable[[], object]

log = logging.getLogger(__name__)


class Worker:
    """Carries out orders one after the other, on a thread that starts with the first of them.

    It knows nobody who gives orders, so that they can go, and then end it.

    Parameters
    ----------
    name
        Of the thread.
    inline
        Whether to do everything at once, in the thread of whoever orders.

    pause
        Seconds between the first order, after nothing had been to do, and its beginning. Whoever
        runs the model gives many orders at a time, and needs the interpreter for himself until he
        is done; then kernels run, which do not need it.

    Attributes
    ----------
    thread
        None before the first order, and always inline.
    """

    def __init__(self, name: str, *, inline: bool = False, pause: float = 0.0) -> None:
        self.name = name
        self._inline = inline
        self._pause = pause
        self.begin()

    def begin(self) -> None:
        """As if nothing had been ordered yet; in a forked child, where the thread is gone."""
        # Unlike a condition, it may be used by what the garbage collector calls, at any time.
        self._orders: queue.SimpleQueue[Order | None] = queue.SimpleQueue()
        self._door = threading.Lock()
        self.thread: threading.Thread | None = None

    def order(self, order: Order) -> None:
        """Have something done; returns at once, unless it is done here and now."""
        if self._inline:
            _carry_out(order)
            return
        self._orders.put(order)
        if self.thread is None:
            with self._door:
                if self.thread is None:
                    self.thread = self._started()

    def _started(self) -> threading.Thread:
        orders = self._orders, self._pause
        thread = threading.Thread(target=_serve, args=orders, daemon=True, name=self.name)
        thread.start()
        return thread

    def flush(self, seconds: float) -> bool:
        """Wait until everything is done that was ordered so far; whether it is."""
        if self.thread is None or not self.thread.is_alive():
            return True
        done = threading.Event()
        self._orders.put(done.set)
        return done.wait(seconds)

    def end(self) -> None:
        """Let the thread go once it has done what was ordered; a destructor may call it."""
        self._orders.put(None)

    def join(self, seconds: float) -> bool:
        """Wait for the thread to go; whether it has."""
        if self.thread is None or self.thread is threading.current_thread():
            return True
        self.thread.join(seconds)
        return not self.thread.is_alive()


def _serve(orders: queue.SimpleQueue[Order | None], pause: float) -> None:
    while (order := _next(orders, pause)) is not None:
        _carry_out(order)
        del order  # and whatever it holds, while there is nothing to do


def _next(orders: queue.SimpleQueue[Order | None], pause: float) -> Order | None:
    with contextlib.suppress(queue.Empty):
        return orders.get_nowait()
    order = orders.get()
    if order is not None:
        time.sleep(pause)
    return order


def _carry_out(order: Order) -> None:
    try:
        order()
    except Exception:  # nobody waits for it who could hear of it, and the thread goes on
        log.exception("an order for the levels of the cache has failed")
