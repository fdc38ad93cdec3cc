"""What every chat format gives back: pieces of messages, and the answer made of them."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from html import escape
from typing import Any, Literal, get_args

from pyhades.arguments import one_of
from pyhades.llm.text.outputs import TokenLogprob, Usage
from pyhades.llm.text.written import Written, WrittenMessage

ReasoningEffort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
"""How long a model thinks before it answers; what it does not know is the nearest that it does."""
KnownEffort = Literal["low", "medium", "high"]
"""What models were trained with."""
KNOWN_EFFORTS: tuple[KnownEffort, ...] = get_args(KnownEffort)
FinishReason = Literal["stop", "tool_calls", "length"]
Kind = Literal["reasoning", "content", "tool_call", "other"]
NAMESPACE = "functions"
"""Of the tools that a caller offers: ``functions.get_weather``."""


@dataclass(frozen=True)
class Message:
    """One message.

    Attributes
    ----------
    role
        ``"system"``, ``"developer"``, ``"user"``, ``"assistant"``, or the name of a tool.
    content
        Its text.
    channel
        Of an assistant's message: ``"analysis"``, ``"commentary"`` or ``"final"``.
    recipient
        Whom it is for, e.g. ``"functions.get_weather"``; None for everybody.
    content_type
        What a constrained content is, e.g. ``"json"``.
    """

    role: str
    content: str
    channel: str | None = None
    recipient: str | None = None
    content_type: str | None = None

    @property
    def kind(self) -> Kind:
        """Whether it is content, reasoning, a call of a tool, or somebody else's."""
        return kind_of(self.role, self.channel, self.recipient)


def kind_of(role: str, channel: str | None, recipient: str | None) -> Kind:
    """What a message with this header is to somebody who chats."""
    if role != "assistant":
        return "other"
    if recipient is not None:
        return "tool_call"
    return "reasoning" if channel == "analysis" else "content"


@dataclass(frozen=True)
class ChatDelta:
    """A piece of a message of the answer.

    A message begins with a piece that may be empty, so that a call is known before its arguments.

    Attributes
    ----------
    channel
        ``"analysis"``, ``"commentary"`` or ``"final"``.
    recipient
        The tool that is called, e.g. ``"functions.get_weather"``.
    text
        Whole characters; of a call, a piece of its arguments.
    kind
        ``"content"``, ``"reasoning"``, ``"tool_call"``, or ``"other"`` where the model speaks for
        somebody else.
    index
        Number of the message in the answer.
    finish_reason
        Of the last piece: ``"stop"``, ``"tool_calls"`` or ``"length"``.
    choice
        Which of the ``n`` answers it belongs to.
    token_ids
        The tokens that came with it. Those of a header come with the empty piece that begins a
        message.
    logprobs
        Of these tokens, where they were asked for.
    usage
        Of the last piece: how many tokens it took.
    written
        Of the last piece: the whole answer as it was written, where it came to its end by itself.
    """

    channel: str | None
    recipient: str | None
    text: str
    kind: Kind = "content"
    index: int = 0
    role: str = "assistant"
    content_type: str | None = None
    finish_reason: FinishReason | None = None
    choice: int = 0
    token_ids: tuple[int, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()
    usage: Usage | None = None
    written: Written | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        one_of("kind", self.kind, Kind)
        if self.finish_reason is not None:
            one_of("finish_reason", self.finish_reason, FinishReason)


@dataclass(frozen=True)
class ToolCall:
    """A function that the model wants called, with arguments that should be JSON."""

    name: str
    arguments: str
    id: str

    def to_dict(self) -> dict[str, Any]:
        """As in OpenAI's API."""
        function = {"name": self.name, "arguments": self.arguments}
        return {"id": self.id, "type": "function", "function": function}

    def __str__(self) -> str:
        return f"{self.name}({self.arguments})"


@dataclass(frozen=True)
class ChatAnswer:
    """An answer of the assistant.

    Attributes
    ----------
    messages
        Everything that it wrote, in order.
    finish_reason
        ``"stop"``, ``"tool_calls"``, or ``"length"`` where it was cut off.
    tool_calls
        What it wants called.
    token_ids
        Everything that it wrote, markers between messages included.
    logprobs
        Where they were asked for: of the tokens of what is said to the user.
    all_logprobs
        Of all tokens, one for each of ``token_ids``.
    usage
        How many tokens it took; None where that is not known.
    others
        The other answers, where ``n`` asked for several.
    written
        The answer as the model wrote it, where it came to its end by itself.
    """

    messages: tuple[Message, ...]
    finish_reason: FinishReason = "stop"
    tool_calls: tuple[ToolCall, ...] = field(init=False, compare=False)
    token_ids: tuple[int, ...] = field(default=(), compare=False, repr=False)
    logprobs: tuple[TokenLogprob, ...] = field(default=(), compare=False, repr=False)
    all_logprobs: tuple[TokenLogprob, ...] = field(default=(), compare=False, repr=False)
    usage: Usage | None = field(default=None, compare=False)
    others: tuple[ChatAnswer, ...] = field(default=(), repr=False)
    written: Written | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        one_of("finish_reason", self.finish_reason, FinishReason)
        calls = (message for message in self.messages if message.kind == "tool_call")
        object.__setattr__(self, "tool_calls", tuple(_tool_call(call) for call in calls))

    @classmethod
    def collect(cls, deltas: Iterable[ChatDelta]) -> ChatAnswer:
        """The answer whose pieces are ``deltas``; with others where they are of several."""
        pieces: dict[int, list[ChatDelta]] = {}
        for delta in deltas:
            pieces.setdefault(delta.choice, []).append(delta)
        first, *others = [cls._of(pieces[choice]) for choice in sorted(pieces)] or [cls._of([])]
        return replace(first, others=tuple(others)) if others else first

    @classmethod
    def _of(cls, pieces: list[ChatDelta]) -> ChatAnswer:
        reasons = [piece.finish_reason for piece in pieces if piece.finish_reason is not None]
        content = [piece for piece in pieces if piece.kind == "content" and piece.text]
        return cls(
            tuple(messages_of(pieces)),
            reasons[-1] if reasons else "length",
            token_ids=tuple(token for piece in pieces for token in piece.token_ids),
            logprobs=tuple(logprob for piece in content for logprob in piece.logprobs),
            all_logprobs=tuple(logprob for piece in pieces for logprob in piece.logprobs),
            usage=next((piece.usage for piece in pieces if piece.usage is not None), None),
            written=next((piece.written for piece in pieces if piece.written is not None), None),
        )

    @property
    def choices(self) -> tuple[ChatAnswer, ...]:
        """All answers to the same question, this one first."""
        return (self, *self.others)

    @property
    def content(self) -> str:
        """The answer, and what is said to the user before tools are called."""
        return self._joined("content")

    @property
    def reasoning(self) -> str:
        """Its chain of thought."""
        return self._joined("reasoning")

    @property
    def message(self) -> dict[str, Any]:
        """The answer as a message for the history, as in OpenAI's API.

        It knows which tokens the model wrote: given back as it is, it is read from the cache.
        """
        message: dict[str, Any] = {"role": "assistant", "content": self.content or None}
        if self.reasoning:
            message["reasoning"] = self.reasoning
        if self.tool_calls:
            message["tool_calls"] = [call.to_dict() for call in self.tool_calls]
        elif not self.reasoning:
            message["content"] = self.content
        return message if self.written is None else WrittenMessage(message, self.written)

    def _joined(self, kind: Kind) -> str:
        texts = (message.content for message in self.messages if message.kind == kind)
        return "\n\n".join(text for text in texts if text)

    def __str__(self) -> str:
        calls = (str(call) for call in self.tool_calls)
        return "\n".join(filter(None, (self.content, *calls)))

    def _repr_html_(self) -> str:
        return "<hr>".join(choice._html() for choice in self.choices)

    def _html(self) -> str:
        style = "white-space:pre-wrap;margin:0"
        parts = [f"<div style='{style}'>{escape(self.content)}</div>"] if self.content else []
        parts += [f"<pre style='{style}'>{escape(str(call))}</pre>" for call in self.tool_calls]
        if self.reasoning:
            inner = f"<div style='{style}'>{escape(self.reasoning)}</div>"
            parts.insert(0, f"<details><summary>Reasoning</summary>{inner}</details>")
        if self.finish_reason == "length":
            parts.append("<small>cut off</small>")
        return "".join(parts)


def no_arguments(recipient: str) -> str:
    """What a call without arguments has: JSON, but for the tool that takes code."""
    return "" if recipient == "python" else "{}"


def messages_of(deltas: Iterable[ChatDelta]) -> list[Message]:
    """The messages whose pieces are ``deltas``."""
    pieces: dict[int, list[ChatDelta]] = {}
    for delta in deltas:
        if delta.text or delta.finish_reason is None:
            pieces.setdefault(delta.index, []).append(delta)
    return [
        Message(of[0].role, "".join(piece.text for piece in of), of[0].channel, of[0].recipient,
                of[0].content_type)
        for of in pieces.values()
    ]  # fmt: skip


def _tool_call(message: Message) -> ToolCall:
    name = (message.recipient or "").removeprefix(f"{NAMESPACE}.")
    return ToolCall(name, message.content, f"call_{uuid.uuid4().hex[:24]}")
