"""What a caller holds of requests that the engine works on."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from typing import Any, Generic, Protocol, TypeVar

from pyhades.llm.engine.mailbox import Mailbox
from pyhades.llm.engine.work import Work

T = TypeVar("T")


class Doer(Protocol):
    """What works on requests: the engine, which holds no handles."""

    def abort(self, work: Work[Any]) -> None:
        """Want nothing more of some requests."""

    def abort_answer(self, work: Work[Any], index: int) -> None:
        """Want nothing more of the answer ``index`` to the prompts of some work."""


class Handle(Generic[T]):
    """Requests in the engine: iterate over what comes of them, in a thread or on an event loop.

    A handle that nobody holds any more aborts its requests.
    """

    def __init__(self, engine: Doer, work: Work[T]) -> None:
        self._engine = engine
        self._work = work

    @property
    def mailbox(self) -> Mailbox[T]:
        """What has come and was not read."""
        return self._work.mailbox

    def abort(self) -> None:
        """Want no more: the requests end at the next step boundary, at once if nobody else waits.

        What had come before can still be read. Does nothing to requests that are done.
        """
        self._engine.abort(self._work)

    def abort_answer(self, index: int) -> None:
        """Want no more of one of several answers to a prompt; the others go on."""
        self._engine.abort_answer(self._work, index)

    def __iter__(self) -> Generator[T, None, None]:
        """What comes, until all is done; leaving the loop early aborts."""
        try:
            while (item := self.mailbox.get()) is not None:
                yield item
        finally:
            self.abort()

    async def __aiter__(self) -> AsyncGenerator[T, None]:
        try:
            while (item := await self.mailbox.aget()) is not None:
                yield item
        finally:
            self.abort()

    def __del__(self) -> None:
        self.abort()

    def __repr__(self) -> str:
        return f"Handle({self._work!r})"
