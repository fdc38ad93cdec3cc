"""From the messages of OpenAI's API to those of harmony."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.llm.text.chat import NAMESPACE, Message, no_arguments
from pyhades.llm.text.chat_messages import (
    called_function,
    calls_of,
    check_continued,
    checked_messages,
    reasoning_of,
    text_of,
)
from pyhades.llm.text.chat_options import ChatOptions
from pyhades.llm.text.harmony.builtin_tools import builtin_section
from pyhades.llm.text.harmony.tool_types import comment_lines, tools_section
from pyhades.llm.text.recall import tokens_of
from pyhades.llm.text.response_format import ResponseFormat
from pyhades.llm.text.tools import as_json

IDENTITY = "You are ChatGPT, a large language model trained by OpenAI."
KNOWLEDGE_CUTOFF = "2024-06"
CHANNELS = (
    "# Valid channels: analysis, commentary, final. Channel must be included for every message."
)
TOOL_CHANNEL = f"Calls to these tools must go to the commentary channel: '{NAMESPACE}'."

Given = Mapping[str, Any]


@dataclass(frozen=True)
class Verbatim:
    """A whole turn of the assistant, as the tokens that it wrote after ``<|start|>assistant``."""

    tokens: tuple[int, ...]


Said = Message | Verbatim


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
    sections = ["\n".join(about), f"Reasoning: {options.known_effort}"]
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


def conversation(messages: Sequence[Any], options: ChatOptions) -> tuple[list[Message], list[Said]]:
    """Instructions and messages of a prompt; see :func:`pyhades.llm.text.harmony.render_chat`."""
    given = checked_messages(messages)
    if options.continue_final_message:
        check_continued(given)
    count = _leading_instructions(given)
    leading = [options.instructions] if options.instructions else []
    leading += [text_of(message, number) for number, message in enumerate(given[:count])]
    developer = developer_message([text for text in leading if text], options)
    instructions = [system_message(options)]
    instructions += [developer] if developer else []
    return instructions, _Translation(given, options).all(count)


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
        self._ended = len(ended)
        self._last_final = max(
            (number for number, message in enumerate(ended) if _is_final(message)), default=-1
        )

    def all(self, first: int) -> list[Said]:
        """The messages from the ``first`` on."""
        result: list[Said] = []
        for number in range(first, len(self._messages)):
            result += self._translated(number)
        return result

    def _translated(self, number: int) -> Sequence[Said]:
        message = self._messages[number]
        role = message.get("role")
        if role == "assistant":
            said = self._assistant(message, number)
            tokens = self._written(message, number)
            return said if tokens is None else [Verbatim(tokens)]
        if role in ("tool", "function"):
            return [self._tool(message, number)]
        if role in ("system", "developer"):
            return [Message("developer", f"# Instructions\n\n{text_of(message, number)}")]
        if role == "user":
            name = _name(message, number)
            return [Message(f"user:{name}" if name else "user", text_of(message, number))]
        raise ArgumentError(
            f"messages[{number}] has role {role!r}; known are system, developer, user, assistant "
            "and tool"
        )

    def _written(self, message: Given, number: int) -> tuple[int, ...] | None:
        """The tokens of an answer that has ended, if they still say what it says."""
        if number >= self._ended:
            return None
        return tokens_of(message, number, keeps_reasoning=number > self._last_final)

    def _assistant(self, message: Given, number: int) -> list[Message]:
        """Reasoning, unless an answer came after it, then what was said or called."""
        result = []
        reasoning = reasoning_of(message)
        if reasoning is not None and number > self._last_final:
            text = text_of({"content": reasoning}, number)
            result.append(Message("assistant", text, "analysis"))
        calls = calls_of(message, number)
        if calls and message.get("content"):
            result.append(Message("assistant", text_of(message, number), "commentary"))
        elif not calls and message.get("content") is not None:
            result.append(Message("assistant", text_of(message, number), "final"))
        elif not calls and reasoning is None:
            raise ArgumentError(f"messages[{number}] has neither content nor tool_calls")
        return result + [self._call(call, f"messages[{number}]") for call in calls]

    def _call(self, given: Any, where: str) -> Message:
        name, arguments_given, identity = called_function(given, where)
        recipient = self._full_name(name)
        arguments = _arguments(arguments_given, recipient, where)
        if identity is not None:
            self._called[str(identity)] = recipient
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
        return Message(author, text_of(message, number), "commentary", "assistant")

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
