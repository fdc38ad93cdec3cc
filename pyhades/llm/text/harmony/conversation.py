"""From the messages of OpenAI's API to those of harmony."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from typing import Any

from pyhades.arguments import one_of
from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.llm.text.chat import NAMESPACE, Message, ReasoningEffort
from pyhades.llm.text.harmony.tool_types import function_names, tools_section

IDENTITY = "You are ChatGPT, a large language model trained by OpenAI."
KNOWLEDGE_CUTOFF = "2024-06"
CHANNELS = (
    "# Valid channels: analysis, commentary, final. Channel must be included for every message."
)
TOOL_CHANNEL = f"Calls to these tools must go to the commentary channel: '{NAMESPACE}'."
REASONING_KEYS = ("reasoning", "reasoning_content", "thinking")
_TEXT_PARTS = ("text", "input_text", "output_text")

Given = Mapping[str, Any]


def system_message(
    reasoning_effort: ReasoningEffort, date: str | datetime.date | None, has_tools: bool
) -> Message:
    """The message in which the model is told who it is, when, and how hard to think.

    Raises
    ------
    ArgumentError
        The effort or the date is none.
    """
    one_of("reasoning_effort", reasoning_effort, ReasoningEffort)
    about = [IDENTITY, f"Knowledge cutoff: {KNOWLEDGE_CUTOFF}"]
    if date is not None:
        about.append(f"Current date: {_day(date)}")
    channels = f"{CHANNELS}\n{TOOL_CHANNEL}" if has_tools else CHANNELS
    sections = ["\n".join(about), f"Reasoning: {reasoning_effort}", channels]
    return Message("system", "\n\n".join(sections))


def developer_message(
    instructions: Sequence[str], tools: Sequence[Given], response_format: Given | None
) -> Message | None:
    """Instructions, functions and the form of the answer; None where there are none of them."""
    sections = []
    if instructions:
        sections.append("# Instructions\n\n" + "\n\n".join(instructions))
    if tools:
        sections.append(tools_section(tools))
    if response_format is not None and response_format.get("type") != "text":
        sections.append(_format_section(response_format))
    return Message("developer", "\n\n".join(sections)) if sections else None


def conversation(
    messages: Sequence[Given],
    *,
    tools: Sequence[Given] = (),
    reasoning_effort: ReasoningEffort = "medium",
    date: str | datetime.date | None = "today",
    instructions: str | None = None,
    response_format: Given | None = None,
) -> list[Message]:
    """The messages of a prompt; see :func:`pyhades.llm.text.harmony.render_chat`."""
    for number, message in enumerate(messages):
        if not isinstance(message, Mapping):
            raise ArgumentTypeError(f"messages[{number}] is no dict: {message!r}")
    count = _leading_instructions(messages)
    leading = [instructions] if instructions else []
    leading += [_text(message, number) for number, message in enumerate(messages[:count])]
    developer = developer_message([text for text in leading if text], tools, response_format)
    result = [system_message(reasoning_effort, date, bool(tools))]
    result += [developer] if developer else []
    return result + _Translation(messages, tools).all(count)


def _leading_instructions(messages: Sequence[Given]) -> int:
    others = (
        number
        for number, message in enumerate(messages)
        if message.get("role") not in ("system", "developer")
    )
    return next(others, len(messages))


class _Translation:
    """Translates messages one by one, and remembers which call had which name."""

    def __init__(self, messages: Sequence[Given], tools: Sequence[Given]) -> None:
        self._messages = messages
        self._functions = function_names(tools)
        self._called: dict[str, str] = {}
        self._last_final = max(
            (number for number, message in enumerate(messages) if _is_final(message)), default=-1
        )

    def all(self, first: int) -> list[Message]:
        """The messages from the ``first`` on."""
        result: list[Message] = []
        for number in range(first, len(self._messages)):
            result += self._translated(number)
        return result

    def _translated(self, number: int) -> list[Message]:
        message = self._messages[number]
        role = message.get("role")
        if role == "assistant":
            return self._assistant(message, number)
        if role in ("tool", "function"):
            return [self._tool(message, number)]
        if role in ("system", "developer"):
            return [Message("developer", f"# Instructions\n\n{_text(message, number)}")]
        if role == "user":
            author = f"user:{message['name']}" if message.get("name") else "user"
            return [Message(author, _text(message, number))]
        raise ArgumentError(
            f"messages[{number}] has role {role!r}; known are system, developer, user, assistant "
            "and tool"
        )

    def _assistant(self, message: Given, number: int) -> list[Message]:
        """Reasoning, unless an answer came after it, then what was said or called."""
        result = []
        reasoning = next((message[key] for key in REASONING_KEYS if message.get(key)), None)
        if reasoning is not None and number > self._last_final:
            text = _text({"content": reasoning}, number)
            result.append(Message("assistant", text, "analysis"))
        calls = message.get("tool_calls") or ()
        if calls and message.get("content"):
            result.append(Message("assistant", _text(message, number), "commentary"))
        elif not calls and message.get("content") is not None:
            result.append(Message("assistant", _text(message, number), "final"))
        elif not calls and reasoning is None:
            raise ArgumentError(f"messages[{number}] has neither content nor tool_calls")
        return result + [self._call(call, f"messages[{number}]") for call in calls]

    def _call(self, call: Given, where: str) -> Message:
        function = call.get("function", call) if isinstance(call, Mapping) else {}
        name, arguments = function.get("name"), function.get("arguments", "{}")
        if not isinstance(name, str) or not name:
            raise ArgumentError(f"{where} has a tool call without the name of a function: {call!r}")
        if not isinstance(arguments, str):
            arguments = json.dumps(arguments, ensure_ascii=False)
        recipient = self._full_name(name)
        if call.get("id") is not None:
            self._called[call["id"]] = recipient
        if recipient.startswith(f"{NAMESPACE}."):
            return Message("assistant", arguments, "commentary", recipient, "json")
        return Message("assistant", arguments, "analysis", recipient)

    def _tool(self, message: Given, number: int) -> Message:
        name = message.get("name")
        author = (
            self._full_name(name) if name else self._called.get(message.get("tool_call_id", ""))
        )
        if author is None:
            raise ArgumentError(
                f"messages[{number}] is the result of a tool, but has no name, and no call before "
                f"it has the id {message.get('tool_call_id')!r}"
            )
        return Message(author, _text(message, number), "commentary", "assistant")

    def _full_name(self, name: str) -> str:
        """A name with its namespace; tools that the model knows by itself have no ``functions``."""
        is_built_in = "." in name or name == "python"
        return name if is_built_in and name not in self._functions else f"{NAMESPACE}.{name}"


def _is_final(message: Given) -> bool:
    return (
        message.get("role") == "assistant"
        and not message.get("tool_calls")
        and message.get("content") is not None
    )


def _text(message: Given, number: int) -> str:
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


def _day(date: str | datetime.date) -> str:
    if date == "today":
        return datetime.date.today().isoformat()
    if isinstance(date, datetime.date):
        return date.strftime("%Y-%m-%d")
    try:
        return datetime.date.fromisoformat(date).isoformat()
    except (TypeError, ValueError):
        raise ArgumentError(f"date={date!r}; write YYYY-MM-DD, 'today', or None") from None


def _format_section(response_format: Given) -> str:
    """The JSON schema that an answer has to follow."""
    kind = response_format.get("type")
    described: Given = response_format.get("json_schema", response_format)
    if kind == "json_object":
        described = {"name": kind, "schema": {"type": "object"}}
    elif kind != "json_schema" or not isinstance(described.get("schema"), Mapping):
        raise ArgumentError(
            f"response_format of type {kind!r}: known are text, json_object, and json_schema with "
            "a schema"
        )
    lines = ["# Response Formats\n", f"## {described.get('name', 'answer')}\n"]
    lines += [f"// {line}" for line in (described.get("description") or "").splitlines()]
    schema = json.dumps(described["schema"], ensure_ascii=False, separators=(",", ":"))
    return "\n".join([*lines, schema])
