"""An answer as a client of ``/v1/responses`` reads it: the response, and the events of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyhades.llm.text.chat import ChatDelta
from pyhades.llm.text.outputs import Usage
from pyhades.llm.text.written import Written
from pyhades.server.errors import ApiError
from pyhades.server.protocol.face import Desk, Event
from pyhades.server.protocol.responses_output import (
    CallItem,
    MessageItem,
    OutputItem,
    ReasoningItem,
    Told,
)
from pyhades.server.runs import CANCELLED
from pyhades.server.sessions import StoredResponse


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What an answer tells of its request.

    Attributes
    ----------
    echo
        Fields of the request that the response repeats.
    items
        That are answered, without those of responses before it.
    is_stored
        Whether it can be asked for later.
    is_detached
        Whether it goes on without its client.
    has_logprobs, is_sealed
        Whether log-probabilities are told, and whether reasoning comes with what restores it.
    """

    echo: Mapping[str, Any]
    items: Sequence[Mapping[str, Any]]
    is_stored: bool = True
    is_detached: bool = False
    has_logprobs: bool = False
    is_sealed: bool = False


class ResponsesFace:
    """The answer to one request, as a response.

    Parameters
    ----------
    desk
        Who asks, and under which name is answered.
    asked
        What it tells of its request.
    """

    def __init__(self, desk: Desk, asked: Asked) -> None:
        self._desk = desk
        self._asked = asked
        self.id = f"resp_{desk.new_id()}"
        self._created = int(desk.now())
        self._completed: int | None = None
        self._status = "queued" if asked.is_detached else "in_progress"
        self._error: ApiError | None = None
        self._usage: Usage | None = None
        self._written: Written | None = None
        self._reason: str | None = None
        self._items: list[OutputItem] = []
        self._open: OutputItem | None = None
        self._message: int | None = None
        self._told = 0

    def begin(self, prompt_tokens: int) -> list[Event]:
        """The response, which is empty."""
        self._store()
        names = ["created", self._status]
        return self._events((name, {"response": self.response()}) for name in names)

    def push(self, piece: ChatDelta) -> list[Event]:
        """Events for what has come with a piece."""
        told: list[Told] = []
        if self._status == "queued":
            self._status = "in_progress"
            self._store()
            told.append(("in_progress", {"response": self.response()}))
        is_end = piece.finish_reason is not None and not piece.text
        if not is_end:
            told += self._added(piece)
        if piece.finish_reason is not None:
            self._reason, self._usage = piece.finish_reason, piece.usage
            self._written = piece.written
        return self._events(told)

    def finish(self) -> list[Event]:
        """The end of the last item, and the whole response."""
        told = self._ended()
        return self._events([*told, (self._status, {"response": self.response()})])

    def fail(self, error: ApiError) -> list[Event]:
        """The response as far as it has come, and why it does not go on."""
        is_cancelled = error.code == CANCELLED
        self._error = None if is_cancelled else error
        self._status = "cancelled" if is_cancelled else "failed"
        if self._open is not None:
            self._open.status = "incomplete"
            self._open = None
        self._store()
        return self._events([("failed", {"response": self.response()})])

    def whole(self) -> dict[str, Any]:
        """The response."""
        if self._reason is not None and self._completed is None:
            self._ended()
        return self.response()

    def response(self) -> dict[str, Any]:
        """The response as it is now."""
        is_cut = self._status == "incomplete"
        return {
            "id": self.id, "object": "response", "created_at": self._created,
            "status": self._status, "completed_at": self._completed,
            "error": None if self._error is None else _error(self._error),
            "incomplete_details": {"reason": "max_output_tokens"} if is_cut else None,
            "model": self._desk.model, "output": [item.as_dict() for item in self._items],
            "background": self._asked.is_detached, "store": self._asked.is_stored,
            **self._asked.echo, "usage": None if self._usage is None else usage_of(self._usage),
        }  # fmt: skip

    def _added(self, piece: ChatDelta) -> list[Told]:
        """A piece of the message that is open, or of the next one, which closes it."""
        told: list[Told] = []
        if piece.index != self._message:
            self._message = piece.index
            told += self._closed("completed")
        # A call is known before its arguments; what is said or thought may come to nothing.
        if self._open is None and (piece.text or piece.kind == "tool_call"):
            told += self._opened(piece)
        if self._open is not None and piece.text:
            told += self._open.pushed(piece)
        return told

    def _opened(self, piece: ChatDelta) -> list[Told]:
        item = self._item(piece)
        if item is None:
            return []
        self._items.append(item)
        self._open = item
        return item.opened()

    def _item(self, piece: ChatDelta) -> OutputItem | None:
        """A new item; none for what the model says in somebody else's name."""
        desk, index = self._desk, len(self._items)
        if piece.kind == "tool_call":
            return CallItem(piece, desk, index)
        if piece.kind == "reasoning":
            return ReasoningItem(piece, desk, index, is_sealed=self._asked.is_sealed)
        if piece.kind == "content":
            return MessageItem(piece, desk, index, has_logprobs=self._asked.has_logprobs)
        return None

    def _closed(self, status: Any) -> list[Told]:
        item, self._open = self._open, None
        return [] if item is None else item.closed(status)

    def _ended(self) -> list[Told]:
        """The answer is whole, or as much of it as there will be."""
        is_cut = self._reason == "length"
        told = self._closed("incomplete" if is_cut else "completed")
        if not is_cut and all(isinstance(item, ReasoningItem) for item in self._items):
            # An answer that says nothing is still one.
            told += [*self._opened(ChatDelta("final", None, "")), *self._closed("completed")]
        self._status = "incomplete" if is_cut else "completed"
        self._completed = int(self._desk.now())
        self._remember_calls()
        self._store()
        return told

    def _remember_calls(self) -> None:
        """What was thought by its calls; what was written by its messages, too."""
        calls = [item.call_id for item in self._items if isinstance(item, CallItem)]
        said = [item.id for item in self._items if isinstance(item, MessageItem)]
        thoughts = [item.text for item in self._items if isinstance(item, ReasoningItem)]
        chains, client = self._desk.chains, self._desk.client
        chains.remember(client, calls, "\n\n".join(thoughts), self._written)
        chains.remember(client, said, "", self._written)

    def _store(self) -> None:
        """Remembered are whole responses, and from their beginning those that are detached."""
        if self._asked.is_stored and (self._asked.is_detached or self._status != "in_progress"):
            stored = StoredResponse(self.response(), self._asked.items)
            self._desk.stored.put(self._desk.client, stored)

    def _events(self, told: Iterable[Told]) -> list[Event]:
        """Events with their types and numbers."""
        events = []
        for name, fields in told:
            kind = f"response.{name}"
            numbered = {"type": kind, "sequence_number": self._told, **fields}
            events.append(Event(numbered, name=kind))
            self._told += 1
        return events


def usage_of(usage: Usage) -> dict[str, Any]:
    """Tokens, as responses tell them."""
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.total_tokens,
    }  # fmt: skip


def _error(error: ApiError) -> dict[str, Any]:
    code = "server_error" if error.status >= 500 else error.code
    return {"code": code, "message": error.message}
