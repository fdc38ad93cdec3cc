"""From tokens to text: one stream per answer, and answers collected from streams."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator
from collections.abc import Sequence as Items

from pyhades.llm.engine.request import Request
from pyhades.llm.engine.scheduler import Answer, Event, Scheduler
from pyhades.llm.models.architecture import ChatParser
from pyhades.llm.text.chat import ChatDelta
from pyhades.llm.text.outputs import (
    Completion,
    Delta,
    FinishReason,
    Generation,
    Timing,
    TokenLogprob,
)
from pyhades.llm.text.stopping import StopStrings
from pyhades.llm.text.tokenizer import StreamDecoder, Tokenizer


class TextStream:
    """The text of one answer: decodes tokens, holds back what may become a stop string."""

    def __init__(self, answer: Answer, tokenizer: Tokenizer | None) -> None:
        self.answer = answer
        self._decoder = None if tokenizer is None else StreamDecoder(tokenizer)
        self._stops = StopStrings(answer.request.params.stop)

    def push(self, event: Event) -> Delta:
        """What can be shown after one more token; sets the reason where a stop string appears."""
        reason = self.answer.finish_reason
        is_stop_token = reason == "stop"
        text = ""
        if self._decoder is not None:
            decoded = "" if is_stop_token else self._decoder.push(event.token)
            if reason is not None:
                decoded += self._decoder.flush()
            text, stopped = self._stops.push(decoded)
            if stopped:
                reason = "stop"
            elif reason is not None:
                text += self._stops.flush()
        return self._delta(event, text, reason)

    def _delta(self, event: Event, text: str, reason: FinishReason | None) -> Delta:
        logprobs: tuple[TokenLogprob, ...] = () if event.logprob is None else (event.logprob,)
        request = self.answer.request
        return Delta(request.number, self.answer.index, text, (event.token,), reason, logprobs)


def text_deltas(scheduler: Scheduler, tokenizer: Tokenizer | None) -> Generator[Delta, None, None]:
    """The deltas of all answers, in the order in which they come."""
    streams: dict[Answer, TextStream] = {}
    steps = scheduler.run()
    try:
        for events in steps:
            for event in events:
                answer = event.answer
                if answer not in streams:
                    streams[answer] = TextStream(answer, tokenizer)
                delta = streams[answer].push(event)
                if delta.finish_reason is not None:
                    scheduler.finish(answer, delta.finish_reason)
                yield delta
    finally:
        steps.close()


def chat_deltas(
    deltas: Generator[Delta, None, None], parser: ChatParser
) -> Generator[ChatDelta, None, None]:
    """The deltas of one answer, split into messages by a chat format."""
    reason = None
    with contextlib.closing(deltas):
        for delta in deltas:
            reason = delta.finish_reason
            for token in delta.token_ids:
                yield from parser.push(token)
    yield from parser.finish("length" if reason == "length" else None)


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
