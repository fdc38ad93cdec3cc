"""The requests of one call, on their way through the engine and back to their reader."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from pyhades.llm.engine.answer import Answer, Event
from pyhades.llm.engine.mailbox import Mailbox
from pyhades.llm.engine.request import Request
from pyhades.llm.engine.runner import Logits
from pyhades.llm.engine.text_stream import TextStream
from pyhades.llm.text.outputs import Delta
from pyhades.llm.text.tokenizer import Tokenizer

T = TypeVar("T")


@dataclass(eq=False)
class Work(Generic[T]):
    """Requests of one call.

    Attributes
    ----------
    requests
        Their prompts.
    mailbox
        Where their reader gets what comes.
    receive
        What an event is to the reader.
    answers
        Those that are not done, once the engine has taken the requests.
    is_unwanted
        Whether the reader has gone.
    """

    requests: Sequence[Request]
    mailbox: Mailbox[T]
    receive: Callable[[Event], T]
    answers: set[Answer] = field(default_factory=set)
    is_unwanted: bool = False

    def __repr__(self) -> str:
        state = "done" if self.mailbox.is_over else "unwanted" if self.is_unwanted else "in work"
        return f"{len(self.requests)} requests, {state}"


class Texts:
    """Receives answers as text, each in a stream of its own.

    Parameters
    ----------
    tokenizer
        None where there is none, so that there are tokens only.
    """

    def __init__(self, tokenizer: Tokenizer | None) -> None:
        self._tokenizer = tokenizer
        self._streams: dict[Answer, TextStream] = {}

    def delta(self, event: Event) -> Delta:
        """What has come to an answer with an event."""
        stream = self._streams.get(event.answer)
        if stream is None:
            stream = self._streams[event.answer] = TextStream(event.answer, self._tokenizer)
        return stream.push(event)


def rows_of(event: Event) -> Logits:
    """Receives rows of logits."""
    assert event.rows is not None
    return event.rows
