"""The messages of a conversation, as callers give them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.llm.text.chat import ChatAnswer
from pyhades.llm.text.tools import as_mapping

Given = Mapping[str, Any]


def checked_messages(messages: Any) -> list[Given]:
    """The messages as dicts; answers of a chat and objects of client libraries become such.

    Raises
    ------
    ArgumentTypeError
        They are no list, or one of them is no dict.
    ArgumentError
        There are none.
    """
    if isinstance(messages, (str, bytes, Mapping)) or not isinstance(messages, Iterable):
        raise ArgumentTypeError(
            f"messages is {type(messages).__name__}; a conversation is a list of dicts, such as "
            "[{'role': 'user', 'content': 'Hi'}]"
        )
    given = [item.message if isinstance(item, ChatAnswer) else as_mapping(item)
             for item in messages]  # fmt: skip
    if not given:
        raise ArgumentError("messages are empty; a conversation begins with one from the user")
    for number, message in enumerate(given):
        if not isinstance(message, Mapping):
            raise ArgumentTypeError(f"messages[{number}] is no dict: {message!r}")
    return given


def check_continued(messages: list[Given]) -> None:
    """ArgumentError where the last message is none that an answer can go on from."""
    last, where = messages[-1], f"messages[{len(messages) - 1}]"
    if last.get("role") != "assistant":
        raise ArgumentError(
            f"continue_final_message: {where} is by {last.get('role')!r}; the message that goes on "
            "is one of the assistant"
        )
    if last.get("tool_calls"):
        raise ArgumentError(
            f"continue_final_message: {where} has tool_calls; only text and reasoning can go on"
        )
