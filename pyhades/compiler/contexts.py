"""Contexts of a program, lent to one call at a time."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pyhades import _native
from pyhades.config import thread_count
from pyhades.errors import ClosedError


class ContextPool:
    """As many contexts as fit the machine: calls beyond that wait for their turn.

    Each context has its own arena and team. With as many threads as CPUs there is one context, and
    calls queue; with one thread on two CPUs, two calls run at the same time.
    """

    def __init__(
        self, program: _native.Program, threads: int, team: _native.Team | None = None
    ) -> None:
        self._program = program
        self._threads = threads
        self._team = team
        self._most = 1 if team is not None else max(1, thread_count().count // threads)
        self._idle: list[_native.Context] = []
        self._lent: list[_native.Context] = []
        self._made = 0
        self._closed = False
        self._process = os.getpid()
        self._condition = threading.Condition()

    @contextmanager
    def lend(self) -> Iterator[_native.Context]:
        """A context that nobody else uses until the block ends."""
        if self._process != os.getpid():
            self._start_over()
        with self._condition:
            while not self._idle and self._made >= self._most and not self._closed:
                self._condition.wait()
            if self._closed:
                raise ClosedError("the program is closed; compile it again")
            context = self._idle.pop() if self._idle else self._make()
            self._lent.append(context)
        try:
            yield context
        finally:
            with self._condition:
                self._lent.remove(context)
                if self._closed:
                    context.close()
                else:
                    self._idle.append(context)
                self._condition.notify()

    def cancel(self) -> None:
        """Stop the runs on the contexts that are lent."""
        with self._condition:
            for context in self._lent:
                context.cancel()

    def close(self) -> None:
        """Free the arenas; calls in progress finish first."""
        with self._condition:
            self._closed = True
            for context in self._idle:
                context.close()
            self._idle.clear()
            self._condition.notify_all()

    def _make(self) -> _native.Context:
        team = self._team
        if team is None:
            team = _native.Team(self._threads) if self._made else _native.team_of(self._threads)
        self._made += 1
        return _native.Context(self._program, team)

    def _start_over(self) -> None:
        """In a forked child: contexts that other threads had borrowed are gone with them."""
        self._process = os.getpid()
        self._condition = threading.Condition()
        self._made = len(self._idle)
