"""Answers put together from the pieces that the engine gives."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncGenerator, Generator, Iterator
from collections.abc import Sequence as Items

from pyhades.llm.engine.handle import Handle
from pyhades.llm.engine.request import Request
from pyhades.llm.models.architecture import ChatParser
from pyhades.llm.text.chat import ChatDelta
from pyhades.llm.text.chat_stops import ContentStops
from pyhades.llm.text.outputs import Completion, Delta, Generation, Timing


class ChatStream:
    """The pieces of one answer of a chat.

    Parameters
    ----------
    parser
        Of the chat format.
    stop
        Strings that end what is said to the user.
    """

    def __init__(self, parser: ChatParser, stop: Items[str]) -> None:
        self._parser = parser
        self._stops = ContentStops(stop)

    @property
    def stopped(self) -> bool:
        """Whether a stop string has come."""
        return self._stops.stopped

    def push(self, delta: Delta) -> Iterator[ChatDelta]:
        """What has come with one more delta of the answer; nothing after :attr:`stopped`."""
        for piece in self._parsed(delta):
            yield from self._stops.push(piece)
            if self.stopped:
                return

    def _parsed(self, delta: Delta) -> Iterator[ChatDelta]:
        for token in delta.token_ids:
            yield from self._parser.push(token)
        if delta.finish_reason is not None:
            is_cut = delta.finish_reason == "length"
            yield from self._parser.finish("length" if is_cut else None)


def chat_deltas(handle: Handle[Delta], stream: ChatStream) -> Generator[ChatDelta, None, None]:
    """The pieces of one answer of a chat; closing the iterator aborts it."""
    with contextlib.closing(iter(handle)) as deltas:
        for delta in deltas:
            yield from stream.push(delta)
            if stream.stopped:
                return


async def achat_deltas(
    handle: Handle[Delta], stream: ChatStream
) -> AsyncGenerator[ChatDelta, None]:
    """Like :func:`chat_deltas`, for ``async for``."""
    async with contextlib.aclosing(aiter(handle)) as deltas:
        async for delta in deltas:
            for piece in stream.push(delta):
                yield piece
            if stream.stopped:
                return


class Collector:
    """Puts the deltas of requests together."""

    def __init__(self, requests: Items[Request]) -> None:
        self._requests = requests
        self._began = time.perf_counter()
        self._deltas: dict[tuple[int, int], list[Delta]] = {
            (request.number, index): [] for request in requests for index in range(request.params.n)
        }
        self._times: dict[tuple[int, int], list[float]] = {key: [] for key in self._deltas}

    def add(self, delta: Delta) -> None:
        """Take one more delta."""
        key = delta.prompt, delta.index
        self._deltas[key].append(delta)
        self._times[key].append(time.perf_counter() - self._began)

    def finish(self) -> list[Generation]:
        """One Generation per request, in order."""
        return [
            Generation(
                request.tokens,
                tuple(self._completion(request, index) for index in range(request.params.n)),
            )
            for request in self._requests
        ]

    def _completion(self, request: Request, index: int) -> Completion:
        deltas, times = self._deltas[request.number, index], self._times[request.number, index]
        reason = deltas[-1].finish_reason
        assert reason is not None
        tokens = tuple(token for delta in deltas for token in delta.token_ids)
        return Completion(
            text="".join(delta.text for delta in deltas),
            token_ids=tokens,
            finish_reason=reason,
            timing=Timing(times[0], times[-1], len(request.tokens), len(tokens)),
            logprobs=tuple(logprob for delta in deltas for logprob in delta.logprobs),
        )
