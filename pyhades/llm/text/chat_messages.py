"""The messages of a conversation, as callers give them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.llm.text.chat import ChatAnswer
from pyhades.llm.text.tools import as_mapping

Given = Mapping[str, Any]
REASONING_KEYS = ("reasoning", "reasoning_content", "thinking")
_SPEAK = ("system", "developer", "user", "tool", "function")
"""Roles whose messages are nothing without content."""
_TEXT_PARTS = ("text", "input_text", "output_text")


def checked_messages(messages: Any) -> list[Given]:
    """The messages as dicts; answers of a chat and objects of client libraries become such.

    Raises
    ------
    ArgumentTypeError
        They are no list, or one of them is no dict.
    ArgumentError
        There are none, or one of them lacks its content.
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
        _check_content(message, number)
    return given


def _check_content(message: Given, number: int) -> None:
    """ArgumentError where a message says nothing, or spells the key of what it says otherwise."""
    role = message.get("role")
    if role not in _SPEAK or message.get("content") is not None:
        return
    near = difflib.get_close_matches("content", map(str, message.keys() - {"content"}), 1)
    what = "content None" if "content" in message else "no 'content'"
    hint = f"; did you mean that by {near[0]!r}?" if near else "; an empty one is ''"
    raise ArgumentError(f"messages[{number}] has {what}, and role {role!r} needs one{hint}")


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


def text_of(message: Given, number: int) -> str:
    """The content of a message as text."""
    content = message.get("content")
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, Sequence):
        raise ArgumentTypeError(
            f"messages[{number}]: content is {type(content).__name__}; it is text, or a list of "
            "parts with text"
        )
    texts = []
    for part in content:
        kind = part.get("type", "text") if isinstance(part, Mapping) else type(part).__name__
        if kind not in _TEXT_PARTS or not isinstance(part.get("text"), str):
            raise ArgumentError(
                f"messages[{number}] has a part of type {kind!r}; this model reads text only"
            )
        texts.append(part["text"])
    return "".join(texts)


def reasoning_of(message: Given) -> Any:
    """The chain of thought of an answer, under any of its names; None where there is none."""
    return next((message[key] for key in REASONING_KEYS if message.get(key)), None)


def calls_of(message: Given, number: int) -> Sequence[Any]:
    """What an answer has called.

    Raises
    ------
    ArgumentTypeError
        It is no list.
    """
    calls = message.get("tool_calls") or ()
    if not isinstance(calls, Sequence) or isinstance(calls, str | bytes):
        raise ArgumentTypeError(f"messages[{number}]: tool_calls is no list: {calls!r}")
    return calls


def called_function(given: Any, where: str) -> tuple[str, Any, Any]:
    """Name, arguments and id of a call, the latter two as given.

    Raises
    ------
    ArgumentError
        It has no name.
    """
    call = as_mapping(given)
    function = as_mapping(call.get("function") or call) if isinstance(call, Mapping) else {}
    name = function.get("name") if isinstance(function, Mapping) else None
    if not isinstance(name, str):
        raise ArgumentError(f"{where} has a tool call without the name of a function: {call!r}")
    return name, function.get("arguments"), call.get("id")
