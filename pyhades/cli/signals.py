"""Ctrl-C and SIGTERM: once to finish what was begun, twice to end at once."""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopping:
    """While it is entered, a first signal calls ``stop``, and a second one ends the process.

    ``stop`` is called by a thread of its own: a handler runs in the middle of anything, perhaps
    while the lock is held that ``stop`` needs.

    Attributes
    ----------
    signal
        The one that came; 0 for none.
    """

    def __init__(self, stop: Callable[[], object]) -> None:
        self._stop = stop
        self._came: queue.SimpleQueue[int] = queue.SimpleQueue()  # handlers may put into it
        self._before: dict[int, Any] = {}
        self._thread: threading.Thread | None = None
        self.signal = 0

    def __enter__(self) -> Stopping:
        if threading.current_thread() is threading.main_thread():
            self._thread = threading.Thread(target=self._wait, daemon=True, name="pyhades stopper")
            self._thread.start()
            for number in SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:  # as behind nohup, or &
                    self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._thread is not None:
            self._came.put(0)
            self._thread.join()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.signal:
            os._exit(128 + number)
        self.signal = number
        self._came.put(number)

    def _wait(self) -> None:
        if self._came.get():
            self._say()
            self._stop()

    def _say(self) -> None:
        try:
            sys.stderr.write("\nfinishing what was begun; once more ends it at once\n")
            sys.stderr.flush()
        except OSError:
            pass


@contextmanager
def ending() -> Iterator[None]:
    """While it is entered, SIGTERM ends the process as Ctrl-C does, and what was begun is gone."""

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
