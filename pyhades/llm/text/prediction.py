"""What a caller knows of an answer beforehand, such as a file that it changes a little."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.llm.text.tools import as_mapping


def predicted_text(prediction: Any) -> str:
    """The text of a prediction; empty where there is none.

    Parameters
    ----------
    prediction
        Text, or ``{"type": "content", "content": ...}`` with text or parts with text, as in
        OpenAI's API.

    Raises
    ------
    ArgumentTypeError
        It is something else.
    ArgumentError
        It is of another type, or has parts without text.

    Examples
    --------
    >>> predicted_text({"type": "content", "content": [{"type": "text", "text": "x = 1"}]})
    'x = 1'
    """
    given = as_mapping(prediction)
    if isinstance(given, Mapping):
        if given.get("type", "content") != "content":
            raise ArgumentError(f"prediction has type {given['type']!r}; only 'content' is known")
        given = given.get("content")
    if given is None or isinstance(given, str):
        return given or ""
    if not isinstance(given, Sequence) or isinstance(given, bytes):
        raise ArgumentTypeError(
            f"prediction is {type(given).__name__}; it is text, or "
            "{'type': 'content', 'content': text}"
        )
    return "".join(_text(as_mapping(part), number) for number, part in enumerate(given))


def _text(part: Any, number: int) -> str:
    text = part.get("text") if isinstance(part, Mapping) else None
    if not isinstance(text, str) or part.get("type", "text") != "text":
        raise ArgumentError(f"prediction: part {number} is no text: {part!r}")
    return text
