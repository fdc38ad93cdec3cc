"""Answers as the model wrote them, beside what was told of them.

A text can be cut into tokens in many ways, and JSON be spelled in many. Where an answer comes back
as history, its own tokens are what was read already: see :mod:`pyhades.llm.text.recall`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Written:
    """An answer that came to its end by itself.

    Attributes
    ----------
    tokens
        All of it, from where the turn of the assistant begins to the token that ends it.
    message
        What it says: ``content``, ``reasoning`` and ``tool_calls``, as in OpenAI's API.
    """

    tokens: tuple[int, ...]
    message: Mapping[str, Any]

    @property
    def has_reasoning(self) -> bool:
        """Whether a chain of thought is among the tokens."""
        return bool(self.message.get("reasoning"))

    @property
    def nbytes(self) -> int:
        """What it takes in memory, about."""
        return 64 * len(self.tokens)


class WrittenMessage(dict[str, Any]):
    """A message of the assistant that knows its tokens: a dict in every other regard.

    What is made of it, by JSON or as ``{**message}``, does not know them any more, and is as good a
    message as it.

    Examples
    --------
    >>> message = WrittenMessage({"role": "assistant", "content": "Hi"}, None)
    >>> message == {"role": "assistant", "content": "Hi"}
    True
    """

    def __init__(self, message: Mapping[str, Any], written: Written | None) -> None:
        super().__init__(message)
        self.written = written

    def __reduce__(self) -> tuple[Any, ...]:
        return WrittenMessage, (dict(self), self.written)
