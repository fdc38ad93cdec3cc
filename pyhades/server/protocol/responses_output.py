"""The items of a response, each of which is told piece by piece and then as a whole."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pyhades.llm.text.chat import NAMESPACE, ChatDelta
from pyhades.llm.text.outputs import TokenLogprob
from pyhades.server.protocol.face import Desk
from pyhades.server.protocol.sealing import sealed

Status = Literal["in_progress", "completed", "incomplete"]
Told = tuple[str, dict[str, Any]]
"""A type of event without ``response.``, and its fields."""


class OutputItem:
    """One item of a response.

    Parameters
    ----------
    piece
        The first of its message.
    index
        Its place among the items.
    """

    prefix: ClassVar[str]

    def __init__(self, piece: ChatDelta, desk: Desk, index: int) -> None:
        self.id = f"{self.prefix}_{desk.new_id()}"
        self.status: Status = "in_progress"
        self._desk = desk
        self._index = index
        self._texts: list[str] = []

    @property
    def text(self) -> str:
        """What has come of it."""
        return "".join(self._texts)

    def as_dict(self) -> dict[str, Any]:
        """As it is now."""
        raise NotImplementedError

    def opened(self) -> list[Told]:
        """What is told before its text."""
        return [("output_item.added", {"output_index": self._index, "item": self.as_dict()})]

    def pushed(self, piece: ChatDelta) -> list[Told]:
        """What is told of a piece."""
        raise NotImplementedError

    def closed(self, status: Status) -> list[Told]:
        """What is told at its end."""
        self.status = status
        done = ("output_item.done", {"output_index": self._index, "item": self.as_dict()})
        return [*self._ended(), done]

    def _ended(self) -> list[Told]:
        raise NotImplementedError

    def _place(self) -> dict[str, Any]:
        return {"item_id": self.id, "output_index": self._index}


class _Parted(OutputItem):
    """An item with one part of content."""

    def part(self) -> dict[str, Any]:
        """The content as it is now."""
        raise NotImplementedError

    def opened(self) -> list[Told]:
        return [*super().opened(), ("content_part.added", {**self._place(), "part": self.part()})]

    def _ended(self) -> list[Told]:
        return [("content_part.done", {**self._place(), "part": self.part()})]

    def _content(self) -> list[dict[str, Any]]:
        """Empty while the part was not told of: its texts come with events of their own."""
        return [] if self.status == "in_progress" and not self._texts else [self.part()]

    def _place(self) -> dict[str, Any]:
        return {**super()._place(), "content_index": 0}


class ReasoningItem(_Parted):
    """A chain of thought."""

    prefix = "rs"

    def __init__(self, piece: ChatDelta, desk: Desk, index: int, *, is_sealed: bool) -> None:
        super().__init__(piece, desk, index)
        self._is_sealed = is_sealed

    def as_dict(self) -> dict[str, Any]:
        item = {"type": "reasoning", "id": self.id, "summary": [], "content": self._content(),
                "status": self.status}  # fmt: skip
        if self._is_sealed:
            is_whole = self.status != "in_progress"
            item["encrypted_content"] = sealed(self.text, self._desk) if is_whole else ""
        return item

    def part(self) -> dict[str, Any]:
        return {"type": "reasoning_text", "text": self.text}

    def pushed(self, piece: ChatDelta) -> list[Told]:
        self._texts.append(piece.text)
        return [("reasoning_text.delta", {**self._place(), "delta": piece.text})]

    def _ended(self) -> list[Told]:
        done = ("reasoning_text.done", {**self._place(), "text": self.text})
        return [done, *super()._ended()]


class MessageItem(_Parted):
    """Something that is said to the user."""

    prefix = "msg"

    def __init__(self, piece: ChatDelta, desk: Desk, index: int, *, has_logprobs: bool) -> None:
        super().__init__(piece, desk, index)
        self._phase = "commentary" if piece.channel == "commentary" else "final_answer"
        self._has_logprobs = has_logprobs
        self._logprobs: list[dict[str, Any]] = []

    def as_dict(self) -> dict[str, Any]:
        return {"type": "message", "id": self.id, "status": self.status, "role": "assistant",
                "phase": self._phase, "content": self._content()}  # fmt: skip

    def part(self) -> dict[str, Any]:
        return {"type": "output_text", "text": self.text, "annotations": [],
                "logprobs": list(self._logprobs)}  # fmt: skip

    def pushed(self, piece: ChatDelta) -> list[Told]:
        self._texts.append(piece.text)
        logprobs = [self._logprob(each) for each in piece.logprobs] if self._has_logprobs else []
        self._logprobs += logprobs
        told = {**self._place(), "delta": piece.text, "logprobs": logprobs}
        return [("output_text.delta", told)]

    def _ended(self) -> list[Told]:
        told = {**self._place(), "text": self.text, "logprobs": list(self._logprobs)}
        return [("output_text.done", told), *super()._ended()]

    def _logprob(self, each: TokenLogprob) -> dict[str, Any]:
        def entry(token: int, logprob: float) -> dict[str, Any]:
            text, spelled = self._desk.spelled(token)
            return {"token": text, "bytes": spelled, "logprob": logprob}

        top = [entry(*pair) for pair in each.top]
        return {**entry(each.token, each.logprob), "top_logprobs": top}


class CallItem(OutputItem):
    """A function that the client is asked to call."""

    prefix = "fc"

    def __init__(self, piece: ChatDelta, desk: Desk, index: int) -> None:
        super().__init__(piece, desk, index)
        self.call_id = f"call_{desk.new_id()[:24]}"
        self.name = (piece.recipient or "").removeprefix(f"{NAMESPACE}.")

    def as_dict(self) -> dict[str, Any]:
        return {"type": "function_call", "id": self.id, "call_id": self.call_id,
                "name": self.name, "arguments": self.text, "status": self.status}  # fmt: skip

    def pushed(self, piece: ChatDelta) -> list[Told]:
        if not piece.text:
            return []
        self._texts.append(piece.text)
        return [("function_call_arguments.delta", {**self._place(), "delta": piece.text})]

    def _ended(self) -> list[Told]:
        told = {**self._place(), "name": self.name, "arguments": self.text}
        return [("function_call_arguments.done", told)]
