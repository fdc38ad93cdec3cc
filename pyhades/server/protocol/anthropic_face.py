"""An answer as a client of Anthropic's API reads it: a message, and the events of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal

from pyhades.llm.text.chat import NAMESPACE, ChatDelta
from pyhades.llm.text.outputs import Usage
from pyhades.server.errors import ApiError
from pyhades.server.protocol.face import Desk, Event
from pyhades.server.protocol.sealing import sealed

Thinking = Literal["shown", "omitted", "hidden"]
"""Omitted is what comes as empty blocks, whose signatures restore it."""
_REASONS = {"stop": "end_turn", "tool_calls": "tool_use", "length": "max_tokens"}
_BLOCKS = {"reasoning": "thinking", "content": "text", "tool_call": "tool_use"}
_TYPES = {
    401: "authentication_error", 403: "permission_error", 404: "not_found_error",
    413: "request_too_large", 429: "rate_limit_error", 500: "api_error", 503: "overloaded_error",
}  # fmt: skip


def error_body(error: ApiError) -> dict[str, Any]:
    """An error in the shape of Anthropic's API."""
    kind = _TYPES.get(error.status, "api_error" if error.status > 500 else "invalid_request_error")
    return {"type": "error", "error": {"type": kind, "message": error.message}}


class AnthropicFace:
    """The answer to one request, as a message.

    Arguments of a call come as one piece, because clients take them for a JSON object: those that
    are none become ``{"raw": "..."}``.

    Parameters
    ----------
    desk
        Who asks, and under which name is answered.
    thinking
        Whether the client is told what the model thinks.
    stops
        Strings that end the answer.
    """

    def __init__(self, desk: Desk, thinking: Thinking, stops: Sequence[str]) -> None:
        self._desk = desk
        self._thinking = thinking
        self._stops = stops
        self._id = f"msg_{desk.new_id()}"
        self._prompt_tokens = 0
        self._message: int | None = None
        self._open: dict[str, Any] | None = None
        self._blocks: list[dict[str, Any]] = []
        self._thoughts: list[str] = []
        self._said_tokens: list[int] = []
        self._text = ""
        self._reason: str | None = None
        self._usage: Usage | None = None

    def begin(self, prompt_tokens: int) -> list[Event]:
        """The message, which is empty."""
        self._prompt_tokens = prompt_tokens
        return [_event("message_start", message=self.whole()), _event("ping")]

    def push(self, piece: ChatDelta) -> list[Event]:
        """Events for what has come with a piece."""
        events: list[Event] = []
        is_end = piece.finish_reason is not None and not piece.text
        if piece.index != self._message and not is_end:
            events += self._closed()
            self._message, self._said_tokens = piece.index, []
        elif piece.kind == "content":
            self._said_tokens += piece.token_ids
        if not is_end:
            events += self._added(piece)
        if piece.finish_reason is not None:
            self._reason, self._usage = piece.finish_reason, piece.usage
            events += self._closed()
            self._remember_calls(piece)
        return events

    def finish(self) -> list[Event]:
        """Why it ended, and how many tokens it took."""
        told = self.whole()
        delta = {name: told[name] for name in ("stop_reason", "stop_sequence")}
        return [_event("message_delta", delta=delta, usage=told["usage"]), _event("message_stop")]

    def fail(self, error: ApiError) -> list[Event]:
        """An error in the stream, which clients raise."""
        return [Event(error_body(error), name="error")]

    def whole(self) -> dict[str, Any]:
        """The message."""
        stop = self._stop_string() if self._reason == "stop" else None
        reason = None if self._reason is None else _REASONS[self._reason]
        return {
            "id": self._id, "type": "message", "role": "assistant", "model": self._desk.model,
            "content": list(self._blocks), "stop_sequence": stop,
            "stop_reason": reason if stop is None else "stop_sequence", "usage": self._used(),
        }  # fmt: skip

    def _added(self, piece: ChatDelta) -> list[Event]:
        if piece.kind == "reasoning" and self._thinking == "hidden":
            self._text += piece.text
            return []
        events = []
        if self._open is None and piece.kind in _BLOCKS:
            # A call is known before its arguments; the others may come to nothing.
            if piece.kind != "tool_call" and not piece.text:
                return []
            events.append(self._opened(piece))
        if self._open is None:  # the model speaks for somebody else
            return events
        self._text += piece.text
        is_told = piece.kind == "content" or (
            piece.kind == "reasoning" and self._thinking == "shown"
        )
        if is_told and piece.text:
            name = "text" if piece.kind == "content" else "thinking"
            events.append(self._delta(f"{name}_delta", name, piece.text))
        return events

    def _opened(self, piece: ChatDelta) -> Event:
        kind = _BLOCKS[piece.kind]
        block: dict[str, Any] = {"type": kind}
        if kind == "tool_use":
            block |= {"id": f"toolu_{self._desk.new_id()[:24]}", "input": {},
                      "name": (piece.recipient or "").removeprefix(f"{NAMESPACE}.")}  # fmt: skip
        else:
            block |= {kind: ""} if kind == "text" else {kind: "", "signature": ""}
        self._open = block
        return _event("content_block_start", index=len(self._blocks), content_block=dict(block))

    def _closed(self) -> list[Event]:
        """The end of the block that is open."""
        text, self._text = self._text, ""
        block, self._open = self._open, None
        if block is None:
            self._thoughts += [text] if text else []
            return []
        events = []
        if block["type"] == "text":
            block["text"] = text
        elif block["type"] == "thinking":
            self._thoughts.append(text)
            block["signature"] = sealed(text, self._desk)
            block["thinking"] = text if self._thinking == "shown" else ""
            events.append(self._delta("signature_delta", "signature", block["signature"]))
        else:
            block["input"] = arguments_of(text)
            spelled = json.dumps(block["input"], ensure_ascii=False)
            events.append(self._delta("input_json_delta", "partial_json", spelled))
        events.append(_event("content_block_stop", index=len(self._blocks)))
        self._blocks.append(block)
        return events

    def _delta(self, kind: str, name: str, text: str) -> Event:
        delta = {"type": kind, name: text}
        return _event("content_block_delta", index=len(self._blocks), delta=delta)

    def _remember_calls(self, last: ChatDelta) -> None:
        ids = [block["id"] for block in self._blocks if block["type"] == "tool_use"]
        thoughts = "\n\n".join(self._thoughts)
        self._desk.chains.remember(self._desk.client, ids, thoughts, last.written)

    def _stop_string(self) -> str | None:
        """Which string has ended the answer: its tokens tell, its text does not have it."""
        if not self._stops or self._desk.tokenizer is None:
            return None
        text = self._desk.tokenizer.decode(self._said_tokens)
        found = [(text.find(stop), stop) for stop in self._stops if stop in text]
        return min(found)[1] if found else None

    def _used(self) -> dict[str, Any]:
        used = self._usage or Usage(self._prompt_tokens, 0)
        return {
            "input_tokens": used.prompt_tokens - used.cached_tokens,
            "cache_creation_input_tokens": 0, "cache_read_input_tokens": used.cached_tokens,
            "output_tokens": used.completion_tokens,
            "output_tokens_details": {"thinking_tokens": used.reasoning_tokens},
        }  # fmt: skip


def arguments_of(text: str) -> dict[str, Any]:
    """The arguments of a call as an object; what is none is put under ``raw``."""
    try:
        arguments = json.loads(text)
    except (ValueError, RecursionError):
        arguments = None
    return arguments if isinstance(arguments, dict) else {"raw": text}


def _event(kind: str, **fields: Any) -> Event:
    return Event({"type": kind, **fields}, name=kind)
