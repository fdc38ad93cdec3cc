"""An answer as a client of ollama reads it: lines of JSON, the last of which has the counts."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from pyhades.llm import Delta
from pyhades.llm.text.chat import NAMESPACE, ChatDelta, ToolCall
from pyhades.llm.text.outputs import TokenLogprob
from pyhades.server.errors import ApiError
from pyhades.server.protocol.anthropic_face import arguments_of
from pyhades.server.protocol.face import Desk, Event

_REASONS = {"stop": "stop", "tool_calls": "stop", "length": "length"}
_BETWEEN = "\n\n"


def error_body(error: ApiError) -> dict[str, Any]:
    """An error in the shape of ollama."""
    return {"error": error.message}


class OllamaFace:
    """The answer to one request of ``/api/chat`` or ``/api/generate``.

    Arguments of a call are an object there: those that are none become ``{"raw": "..."}``.

    Parameters
    ----------
    desk
        Who asks.
    model
        Under which name is answered: the one that the client has used.
    is_chat
        Whether answers are messages, or the text alone.
    thinks
        Whether the client is told what the model thinks.
    has_logprobs
        Whether the log-probabilities of tokens are told.
    clock
        In nanoseconds.
    """

    def __init__(
        self, desk: Desk, model: str, *, is_chat: bool, thinks: bool, has_logprobs: bool = False,
        clock: Callable[[], int] = time.perf_counter_ns,
    ) -> None:  # fmt: skip
        self._desk = desk
        self._model = model
        self._is_chat = is_chat
        self._thinks = thinks
        self._has_logprobs = has_logprobs
        self._clock = clock
        self._began = self._first = self._last = clock()
        self._prompt_tokens = 0
        self._written = 0
        self._message: int | None = None
        self._said = {"content": "", "reasoning": ""}
        self._between = ""
        self._call: ToolCall | None = None
        self._arguments: list[str] = []
        self._calls: list[ToolCall] = []
        self._logprobs: list[dict[str, Any]] = []
        self._reason = "load"

    def begin(self, prompt_tokens: int) -> list[Event]:
        """Nothing is told before something is said."""
        self._prompt_tokens = prompt_tokens
        return []

    def push(self, piece: ChatDelta | Delta) -> list[Event]:
        """A line for a piece; a call is told once it is whole."""
        self._count(piece)
        if isinstance(piece, Delta):  # of a raw prompt
            events = self._added("content", piece.text, piece.logprobs)
        else:
            events = self._of_chat(piece)
        if piece.finish_reason is not None:
            self._reason = _REASONS[piece.finish_reason]
            events += self._called()
            ids, written = [call.id for call in self._calls], getattr(piece, "written", None)
            self._desk.chains.remember(self._desk.client, ids, self._said["reasoning"], written)
        return events

    def finish(self) -> list[Event]:
        """Why it ended, what it took, and how long."""
        return [Event(self._line({"content": ""}, is_last=True))]

    def fail(self, error: ApiError) -> list[Event]:
        """An error in the stream, which clients raise."""
        return [Event(error_body(error))]

    def whole(self) -> dict[str, Any]:
        """All lines in one."""
        message: dict[str, Any] = {"content": self._said["content"]}
        if self._thinks and self._said["reasoning"]:
            message["thinking"] = self._said["reasoning"]
        if self._calls:
            message["tool_calls"] = [_told(call, n) for n, call in enumerate(self._calls)]
        line = self._line(message, is_last=True)
        return {**line, "logprobs": self._logprobs} if self._has_logprobs else line

    def _count(self, piece: ChatDelta | Delta) -> None:
        if piece.token_ids:
            self._last = self._clock()
            self._first = self._first if self._written else self._last
            self._written += len(piece.token_ids)

    def _of_chat(self, piece: ChatDelta) -> list[Event]:
        events: list[Event] = []
        if piece.index != self._message and (piece.text or piece.finish_reason is None):
            self._message = piece.index
            events += self._called()
            self._between = _BETWEEN if self._said.get(piece.kind) else ""
            if piece.kind == "tool_call":
                name = (piece.recipient or "").removeprefix(f"{NAMESPACE}.")
                self._call = ToolCall(name, "", f"call_{self._desk.new_id()[:24]}")
        if self._call is not None:
            self._arguments.append(piece.text)
        elif piece.kind in self._said:
            events += self._added(piece.kind, piece.text, piece.logprobs)
        return events

    def _added(self, kind: str, text: str, logprobs: tuple[TokenLogprob, ...]) -> list[Event]:
        if not text:
            return []
        text, self._between = self._between + text, ""
        self._said[kind] += text
        if kind == "reasoning":
            return [self._event({"content": "", "thinking": text})] if self._thinks else []
        line = self._line({"content": text})
        if self._has_logprobs:
            line["logprobs"] = [self._logprob(each) for each in logprobs]
            self._logprobs += line["logprobs"]
        return [Event(line)]

    def _called(self) -> list[Event]:
        """The call that was being told, if there is one."""
        call, self._call = self._call, None
        if call is None:
            return []
        arguments, self._arguments = "".join(self._arguments), []
        call = replace(call, arguments=arguments)
        self._calls.append(call)
        return [self._event({"content": "", "tool_calls": [_told(call, len(self._calls) - 1)]})]

    def _event(self, message: dict[str, Any]) -> Event:
        return Event(self._line(message))

    def _line(self, message: dict[str, Any], *, is_last: bool = False) -> dict[str, Any]:
        now = datetime.fromtimestamp(self._desk.now(), UTC).isoformat().replace("+00:00", "Z")
        line: dict[str, Any] = {"model": self._model, "created_at": now}
        if self._is_chat:
            line["message"] = {"role": "assistant", **message}
        else:
            others = {name: value for name, value in message.items() if name != "content"}
            line |= {"response": message["content"], **others}
        line["done"] = is_last
        return {**line, **self._counts()} if is_last else line

    def _counts(self) -> dict[str, Any]:
        """Durations are nanoseconds. The first token ends the reading of the prompt."""
        return {
            "done_reason": self._reason, "total_duration": self._clock() - self._began,
            "load_duration": 0, "prompt_eval_count": self._prompt_tokens,
            "prompt_eval_duration": self._first - self._began, "eval_count": self._written,
            "eval_duration": self._last - self._first,
        }  # fmt: skip

    def _logprob(self, each: TokenLogprob) -> dict[str, Any]:
        def entry(token: int, logprob: float) -> dict[str, Any]:
            text, spelled = self._desk.spelled(token)
            return {"token": text, "logprob": logprob, "bytes": spelled}

        top = [entry(*pair) for pair in each.top]
        return {**entry(each.token, each.logprob), "top_logprobs": top}


def _told(call: ToolCall, index: int) -> dict[str, Any]:
    function = {"index": index, "name": call.name, "arguments": arguments_of(call.arguments)}
    return {"id": call.id, "function": function}
