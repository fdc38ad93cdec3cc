"""From a conversation to the tokens of a prompt."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from pyhades.errors import ArgumentError
from pyhades.llm.text.chat import Message, ReasoningEffort
from pyhades.llm.text.harmony.conversation import conversation
from pyhades.llm.text.harmony.markers import Markers
from pyhades.llm.text.tokenizer import Tokenizer


def render_chat(
    messages: Sequence[Mapping[str, Any]],
    tokenizer: Tokenizer,
    *,
    tools: Sequence[Mapping[str, Any]] | None = None,
    reasoning_effort: ReasoningEffort = "medium",
    date: str | datetime.date | None = "today",
    instructions: str | None = None,
    response_format: Mapping[str, Any] | None = None,
) -> list[int]:
    """Tokens of a conversation, after which the model writes its answer.

    Special tokens stand between messages and their parts only; no text becomes one. The reasoning
    of an answer is left out once the answer is there, and kept while its calls of tools go on.

    Parameters
    ----------
    messages
        Dicts as in OpenAI's API: ``role`` (``system`` and ``developer`` are instructions,
        ``user``, ``assistant``, ``tool``), ``content`` (text, or parts with text), ``tool_calls``,
        ``tool_call_id``, ``name``, and ``reasoning`` of an assistant.
    tokenizer
        That of the model.
    tools
        Functions that the model may call, as in OpenAI's API.
    reasoning_effort
        ``"low"``, ``"medium"`` or ``"high"``.
    date
        ``"today"``, a date, or None to leave it out. A prompt with the date of today has another
        beginning tomorrow, and what is cached of it is lost.
    instructions
        Put before those of the messages.
    response_format
        As in OpenAI's API: ``{"type": "json_schema", "json_schema": {"name", "schema"}}``. The
        model is told of it, but not held to it.

    Returns
    -------
    list of int
        Ends with ``<|start|>assistant``.

    Raises
    ------
    ArgumentError
        A message, tool, effort or date cannot be interpreted.
    ModelError
        The tokenizer lacks the special tokens of harmony.
    """
    if not messages:
        raise ArgumentError("messages are empty; a conversation begins with one from the user")
    markers = Markers.of(tokenizer)
    tokens: list[int] = []
    for message in conversation(
        messages, tools=tools or (), reasoning_effort=reasoning_effort, date=date,
        instructions=instructions, response_format=response_format,
    ):  # fmt: skip
        tokens += render_message(message, tokenizer, markers)
    return [*tokens, markers.start, *tokenizer.encode("assistant")]


def render_message(message: Message, tokenizer: Tokenizer, markers: Markers) -> list[int]:
    """Tokens of one whole message.

    The recipient of a call stands after the channel, where the models write it themselves.
    """
    is_assistant = message.role == "assistant"
    recipient = f" to={message.recipient}" if message.recipient else ""
    tokens = [markers.start]
    tokens += tokenizer.encode(message.role + ("" if is_assistant else recipient))
    if message.channel:
        tokens.append(markers.channel)
        tokens += tokenizer.encode(message.channel + (recipient if is_assistant else ""))
    if message.content_type:
        tokens += tokenizer.encode(" ")
        tokens.append(markers.constrain)
        tokens += tokenizer.encode(message.content_type)
    tokens.append(markers.message)
    tokens += tokenizer.encode(message.content)
    is_call = is_assistant and message.recipient is not None
    return [*tokens, markers.call if is_call else markers.end]
