"""Messages of the harmony format, and the tokens that mark their parts."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

from pyhades.errors import ModelError
from pyhades.llm.text.tokenizer import Tokenizer

Kind = Literal["reasoning", "content", "tool_call", "other"]


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
class Markers:
    """Ids of the special tokens of the format."""

    start: int
    channel: int
    constrain: int
    message: int
    end: int
    call: int
    return_: int

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> Markers:
        """Look them up.

        Raises
        ------
        ModelError
            The tokenizer lacks one of them, and cannot chat.
        """
        names = {field.name: f"<|{field.name.rstrip('_')}|>" for field in fields(cls)}
        missing = [name for name in names.values() if name not in tokenizer.specials]
        if missing:
            raise ModelError(
                f"{tokenizer.name} has no {', '.join(missing)}, so this model cannot chat; "
                "generate continues a prompt with any tokenizer"
            )
        return cls(**{field: tokenizer.specials[name] for field, name in names.items()})
