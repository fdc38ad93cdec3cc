"""Answers put together from the pieces that the engine gives."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from collections.abc import Sequence as Items
from dataclasses import replace
from typing import TypeVar

from pyhades.llm.engine.handle import Handle
from pyhades.llm.engine.request import Request
from pyhades.llm.text.chat import ChatDelta
from pyhades.llm.text.chat_prompt import ChatPrompt
from pyhades.llm.text.chat_stops import ContentStops
from pyhades.llm.text.outputs import Completion, Delta, Generation, Timing, TokenLogprob, Usage
from pyhades.llm.text.turn import Turn

T = TypeVar("T")


class ChatStream:
    """The pieces of one answer of a chat.

    Parameters
    ----------
    prompt
        What is answered.
    stop
        Strings that end what is said to the user.
    choice
        Which of several answers it is.
    """

    def __init__(self, prompt: ChatPrompt, stop: Items[str], choice: int = 0) -> None:
        self._parser = prompt.parser()
        self._stops = ContentStops(stop)
        self._choice = choice
        self._begun = [piece for token in prompt.begun for piece in self._parser.push(token)]
        self._unread: list[int] = []
        self._logprobs: list[TokenLogprob] = []
        self._usage = Usage(len(prompt.tokens), 0)
        self._turn = Turn(prompt, self._begun)

    @property
    def stopped(self) -> bool:
        """Whether a stop string has come."""
        return self._stops.stopped

    def push(self, delta: Delta) -> Iterator[ChatDelta]:
        """What has come with one more delta of the answer; nothing after :attr:`stopped`."""
        for piece in self._parsed(delta):
            for shown in self._stops.push(piece):
                usage = None if shown.finish_reason is None else self._usage
                yield replace(shown, choice=self._choice, usage=usage)
            if self.stopped:
                return

    def _parsed(self, delta: Delta) -> Iterator[ChatDelta]:
        self._usage = replace(
            self._usage,
            cached_tokens=delta.cached_tokens,
            accepted_prediction_tokens=delta.accepted_prediction_tokens,
            rejected_prediction_tokens=delta.rejected_prediction_tokens,
        )
        yield from self._beginnings()
        self._logprobs += delta.logprobs
        for token in delta.token_ids:
            self._unread.append(token)
            pieces = self._parser.push(token)
            self._turn.add(token, pieces)
            yield from self._with_tokens(pieces)
        if delta.finish_reason is not None:
            is_cut = delta.finish_reason == "length"
            *pieces, last = self._parser.finish("length" if is_cut else None)
            written = None if is_cut else self._turn.written([*pieces, last])
            yield from self._with_tokens([*pieces, replace(last, written=written)])

    def _beginnings(self) -> list[ChatDelta]:
        """Of messages that were begun in the prompt: their headers, and none of their text."""
        begun = {piece.index: piece for piece in reversed(self._begun)}
        self._begun = []
        return [replace(begun[index], text="") for index in sorted(begun)]

    def _with_tokens(self, pieces: Items[ChatDelta]) -> Iterator[ChatDelta]:
        """Pieces, the first of them with the tokens that have led to it."""
        for piece in pieces:
            count = len(self._unread)
            tokens, self._unread = tuple(self._unread), []
            # Logprobs of the tokens that follow in the same delta wait for theirs.
            logprobs = tuple(self._logprobs[:count])
            del self._logprobs[:count]
            is_thought = piece.kind == "reasoning" and piece.text
            self._usage = replace(
                self._usage,
                completion_tokens=self._usage.completion_tokens + count,
                reasoning_tokens=self._usage.reasoning_tokens + (count if is_thought else 0),
            )
            yield replace(piece, token_ids=tokens, logprobs=logprobs)


class ChatStreams:
    """The pieces of ``n`` answers to one prompt, as they come.

    Parameters
    ----------
    handle
        What comes of the prompt.
    prompt, stop
        As in :class:`ChatStream`.
    n
        How many answers there are.
    """

    def __init__(
        self, handle: Handle[Delta], prompt: ChatPrompt, stop: Items[str], n: int = 1
    ) -> None:
        self._handle = handle
        self._streams = {choice: ChatStream(prompt, stop, choice) for choice in range(n)}

    def __iter__(self) -> Generator[ChatDelta, None, None]:
        """Pieces, for ``for``; closing the iterator aborts what is not done."""
        with contextlib.closing(iter(self._handle)) as deltas:
            for delta in deltas:
                yield from self._push(delta)
                if not self._streams:
                    return

    async def __aiter__(self) -> AsyncGenerator[ChatDelta, None]:
        async with contextlib.aclosing(aiter(self._handle)) as deltas:
            async for delta in deltas:
                for piece in self._push(delta):
                    yield piece
                if not self._streams:
                    return

    def _push(self, delta: Delta) -> Iterator[ChatDelta]:
        stream = self._streams.get(delta.index)
        if stream is None:  # it came to a stop string
            return
        yield from stream.push(delta)
        if stream.stopped or delta.finish_reason is not None:
            del self._streams[delta.index]
            if stream.stopped and self._streams:
                self._handle.abort_answer(delta.index)


async def begun_elsewhere(
    begin: Callable[[], AsyncGenerator[T, None]],
) -> AsyncGenerator[T, None]:
    """What ``begin`` gives, called in another thread: grammars take a while to compile."""
    async with contextlib.aclosing(await asyncio.to_thread(begin)) as items:
        async for item in items:
            yield item


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
            timing=Timing(
                first_token=times[0],
                total=times[-1],
                prompt_tokens=len(request.tokens),
                tokens=len(tokens),
                cached_tokens=deltas[0].cached_tokens,
                accepted_prediction_tokens=deltas[-1].accepted_prediction_tokens,
                rejected_prediction_tokens=deltas[-1].rejected_prediction_tokens,
            ),
            logprobs=tuple(logprob for delta in deltas for logprob in delta.logprobs),
        )
