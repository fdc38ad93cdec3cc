"""Answers that go on without whoever asked for them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Iterable
from typing import Any

from pyhades.server.errors import ApiError
from pyhades.server.protocol.face import Call, Event

CANCELLED = "cancelled"
"""The code of the error with which a face ends that somebody has cancelled."""
Told = AsyncGenerator[Iterable[Event], None]


class Run:
    """One such answer.

    Parameters
    ----------
    framed
        The bytes of an event.
    is_told
        Whether clients may follow it, as many as like; else nothing is kept of what it tells.

    Attributes
    ----------
    chunks
        What was told so far, event by event.
    """

    def __init__(self, framed: Callable[[Event], bytes], *, is_told: bool) -> None:
        self.chunks: list[bytes] = []
        self.is_told = is_told
        self.is_over = False
        self._framed = framed
        self._news = asyncio.Event()

    async def follow(self, first: int = 0) -> AsyncGenerator[bytes, None]:
        """The events from the ``first`` on, those that are still to come among them."""
        while True:
            while first < len(self.chunks):
                yield self.chunks[first]
                first += 1
            if self.is_over:
                return
            await self._news.wait()

    async def go(self, call: Call[Any], told: Told) -> None:
        """Work until the answer is whole, or somebody cancels it."""
        try:
            async with contextlib.aclosing(told):
                async for events in told:
                    self._tell(events)
        except asyncio.CancelledError:
            self._tell(call.face.fail(ApiError(499, "the response was cancelled", CANCELLED)))
        finally:
            self.is_over = True
            self._tell(())

    def _tell(self, events: Iterable[Event]) -> None:
        if self.is_told:
            self.chunks += map(self._framed, events)
        self._news.set()
        self._news = asyncio.Event()


class Runs:
    """Those that are not over, by client and name."""

    def __init__(self) -> None:
        self._runs: dict[tuple[str, str], tuple[Run, asyncio.Task[None]]] = {}

    def start(
        self, client: str, name: str, run: Run, call: Call[Any], told: Told,
        at_end: Callable[[], object],
    ) -> None:  # fmt: skip
        """Let an answer go on; ``at_end`` is called once it has ended, however it did."""

        def ended(task: asyncio.Task[None]) -> None:
            self._runs.pop((client, name), None)
            at_end()

        task = asyncio.create_task(run.go(call, told))
        self._runs[client, name] = run, task
        task.add_done_callback(ended)

    def find(self, client: str, name: str) -> Run | None:
        """The run of a name; None where it is over, or never was."""
        return self._runs.get((client, name), (None, None))[0]

    async def cancel(self, client: str, name: str) -> None:
        """End a run, if there is one; nothing is written for it after this."""
        run, task = self._runs.get((client, name), (None, None))
        if run is None or task is None:
            return
        await asyncio.sleep(0)  # a task that has not begun could not tell that it was cancelled
        task.cancel()
        await asyncio.wait({task})
        await asyncio.sleep(0)  # until what happens at its end has happened

    def __len__(self) -> int:
        return len(self._runs)
