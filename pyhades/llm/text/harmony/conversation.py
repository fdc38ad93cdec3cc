"""From the messages of OpenAI's API to those of harmony."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.llm.text.chat import NAMESPACE, Message, no_arguments
from pyhades.llm.text.chat_messages import check_continued, checked_messages
from pyhades.llm.text.chat_options import ChatOptions
from pyhades.llm.text.harmony.builtin_tools import builtin_section
from pyhades.llm.text.harmony.tool_types import comment_lines, tools_section
from pyhades.llm.text.response_format import ResponseFormat
from pyhades.llm.text.tools import as_json, as_mapping

IDENTITY = "You are ChatGPT, a large language model trained by OpenAI."
KNOWLEDGE_CUTOFF = "2024-06"
CHANNELS = (
    "# Valid channels: analysis, commentary, final. Channel must be included for every message."
)
TOOL_CHANNEL = f"Calls to these tools must go to the commentary channel: '{NAMESPACE}'."
REASONING_KEYS = ("reasoning", "reasoning_content", "thinking")
_TEXT_PARTS = ("text", "input_text", "output_text")

Given = Mapping[str, Any]


def system_message(options: ChatOptions) -> Message:
    """The message in which the model is told who it is, when, and how hard to think.

    Raises
    ------
    ArgumentError
        The date is none, or there is no such built-in tool.
    """
    about = [options.model_identity or IDENTITY, f"Knowledge cutoff: {KNOWLEDGE_CUTOFF}"]
    if options.date is not None:
        about.append(f"Current date: {_day(options.date)}")
    sections = ["\n".join(about), f"Reasoning: {options.reasoning_effort}"]
    if options.builtin_tools:
        sections.append(builtin_section(options.builtin_tools))
    sections.append(f"{CHANNELS}\n{TOOL_CHANNEL}" if options.offer.functions else CHANNELS)
    return Message("system", "\n\n".join(sections))


def developer_message(instructions: Sequence[str], options: ChatOptions) -> Message | None:
    """Instructions, functions and the form of the answer; None where there are none of them."""
    sections = []
    if instructions:
        sections.append("# Instructions\n\n" + "\n\n".join(instructions))
    if options.offer.functions:
        sections.append(tools_section(options.offer.functions))
    if options.form is not None:
        sections.append(_format_section(options.form))
    return Message("developer", "\n\n".join(sections)) if sections else None


def conversation(messages: Sequence[Any], options: ChatOptions) -> list[Message]:
    """The messages of a prompt; see :func:`pyhades.llm.text.harmony.render_chat`."""
    given = checked_messages(messages)
    if options.continue_final_message:
        check_continued(given)
    count = _leading_instructions(given)
    leading = [options.instructions] if options.instructions else []
    leading += [_text(message, number) for number, message in enumerate(given[:count])]
    developer = developer_message([text for text in leading if text], options)
    result = [system_message(options)]
    result += [developer] if developer else []
    return result + _Translation(given, options).all(count)


def _leading_instructions(messages: Sequence[Given]) -> int:
    others = (
        number
        for number, message in enumerate(messages)
        if message.get("role") not in ("system", "developer")
    )
    return next(others, len(messages))


class _Translation:
    """Translates messages one by one, and remembers which call had which name."""

    def __init__(self, messages: Sequence[Given], options: ChatOptions) -> None:
        self._messages = messages
        self._functions = options.functions
        self._called: dict[str, str] = {}
        # An answer that goes on has not come to an end: its reasoning is kept.
        ended = messages[:-1] if options.continue_final_message else messages
        self._last_final = max(
            (number for number, message in enumerate(ended) if _is_final(message)), default=-1
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
            name = _name(message, number)
            return [Message(f"user:{name}" if name else "user", _text(message, number))]
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
        if not isinstance(calls, Sequence) or isinstance(calls, str | bytes):
            raise ArgumentTypeError(f"messages[{number}]: tool_calls is no list: {calls!r}")
        if calls and message.get("content"):
            result.append(Message("assistant", _text(message, number), "commentary"))
        elif not calls and message.get("content") is not None:
            result.append(Message("assistant", _text(message, number), "final"))
        elif not calls and reasoning is None:
            raise ArgumentError(f"messages[{number}] has neither content nor tool_calls")
        return result + [self._call(call, f"messages[{number}]") for call in calls]

    def _call(self, given: Any, where: str) -> Message:
        call = as_mapping(given)
        function = as_mapping(call.get("function") or call) if isinstance(call, Mapping) else {}
        name = function.get("name") if isinstance(function, Mapping) else None
        if not isinstance(name, str):
            raise ArgumentError(f"{where} has a tool call without the name of a function: {call!r}")
        recipient = self._full_name(name)
        arguments = _arguments(function.get("arguments"), recipient, where)
        if call.get("id") is not None:
            self._called[str(call["id"])] = recipient
        if recipient.startswith(f"{NAMESPACE}."):
            return Message("assistant", arguments, "commentary", recipient, "json")
        return Message("assistant", arguments, "analysis", recipient)

    def _tool(self, message: Given, number: int) -> Message:
        name = _name(message, number)
        called = self._called.get(str(message.get("tool_call_id")))
        author = self._full_name(name) if name else called
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


def _name(message: Given, number: int) -> str:
    name = message.get("name") or ""
    if not isinstance(name, str):
        raise ArgumentTypeError(f"messages[{number}]: name={name!r} is not text")
    return name


def _arguments(given: Any, recipient: str, where: str) -> str:
    """Arguments as text. A call without any is one of no arguments: JSON that is empty."""
    if given is None or (isinstance(given, str) and not given.strip()):
        return no_arguments(recipient)
    return given if isinstance(given, str) else as_json(given, f"{where}: arguments of a call")


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


def _format_section(form: ResponseFormat) -> str:
    """The JSON schema that an answer has to follow."""
    lines = ["# Response Formats\n", f"## {form.name}\n", *comment_lines(form.description, "")]
    return "\n".join([*lines, as_json(form.schema, "the schema of response_format", compact=True)])
