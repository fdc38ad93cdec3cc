"""From a conversation to the tokens of ChatML."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from pyhades.errors import ArgumentError
from pyhades.llm.models.qwen3_moe.calls import CALL_END, call_beginning
from pyhades.llm.models.qwen3_moe.markers import Markers
from pyhades.llm.text.chat_messages import called_function, calls_of, reasoning_of, text_of
from pyhades.llm.text.chat_options import ChatOptions
from pyhades.llm.text.recall import tokens_of
from pyhades.llm.text.response_format import ResponseFormat
from pyhades.llm.text.tokenizer import Tokenizer
from pyhades.llm.text.tools import Given, as_json

Piece = int | str
"""A special token, or text, which never becomes one."""


class Renderer:
    """Renders the messages of one conversation.

    The reasoning of an answer is left out once the user has spoken again, and kept while its calls
    of tools go on. Results of tools are told as if by the user, those that follow each other
    together.

    Parameters
    ----------
    messages
        As callers give them.
    tokenizer
        That of the model.
    options
        What else is told.
    """

    def __init__(
        self, messages: Sequence[Mapping[str, Any]], tokenizer: Tokenizer, options: ChatOptions
    ) -> None:
        has_tools = bool(options.offer.functions) or any(map(_is_of_tools, messages))
        self._messages = messages
        self._tokenizer = tokenizer
        self._options = options
        self._markers = Markers.of(tokenizer, with_tools=has_tools)
        self._last_question = max(
            (at for at, message in enumerate(messages) if message.get("role") == "user"), default=-1
        )

    def tokens(self) -> tuple[list[int], tuple[int, ...]]:
        """Of everything that has been said, and of the beginning of the next turn.

        Returns
        -------
        tokens, points
            With offsets from which other prompts are likely to go on, see
            :class:`pyhades.llm.text.chat_prompt.ChatPrompt`.
        """
        count, instructions = self._instructions()
        pieces = [piece for text in instructions for piece in self._turn("system", *text)]
        told = asked = None
        for number in range(count, len(self._messages)):
            role = self._messages[number].get("role")
            if told is None and not _is_instruction(self._messages[number]):
                told = len(pieces)
            if role == "user":
                asked = len(pieces)
            pieces += self._said(number)
        pieces += [self._markers.start, "assistant\n"]
        # Every turn begins with a special token, so that no text is cut across its beginning.
        places = sorted({place for place in (told, asked, len(pieces)) if place is not None})
        tokens: list[int] = []
        points = []
        for first, end in pairwise([0, *places]):
            tokens += encoded(self._tokenizer, pieces[first:end])
            points.append(len(tokens))
        return tokens, tuple(points)

    def _turn(self, role: str, *content: Piece) -> Iterator[Piece]:
        yield from (self._markers.start, f"{role}\n", *content, self._markers.end, "\n")

    def _instructions(self) -> tuple[int, list[list[Piece]]]:
        """How many messages lead with instructions, and what is told of them and of tools."""
        options = self._options
        told = [options.instructions or "", "" if options.form is None else _told(options.form)]
        texts = [text for text in told if text]
        if not options.offer.functions:
            return 0, [[text] for text in texts]
        count = 0
        while count < len(self._messages) and _is_instruction(self._messages[count]):
            texts.append(text_of(self._messages[count], count))
            count += 1
        return count, [["".join(f"{text}\n\n" for text in texts), *self._tools()]]

    def _tools(self) -> Iterator[Piece]:
        """Which functions there are, and how they are called, in the words of the training."""
        call, called = self._markers.call, self._markers.called
        assert call is not None and called is not None
        yield (
            "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
            "You are provided with function signatures within <tools></tools> XML tags:\n<tools>"
        )
        for function in self._options.offer.functions:
            yield "\n" + as_json({"type": "function", "function": function}, "a tool")
        yield "\n</tools>\n\nFor each function call, return a json object with function name "
        yield from ("and arguments within ", call, called, " XML tags:\n", call)
        yield '\n{"name": <function-name>, "arguments": <args-json-object>}\n'
        yield called

    def _said(self, number: int) -> Iterator[Piece]:
        message = self._messages[number]
        role = message.get("role")
        if _is_instruction(message):
            yield from self._turn("system", text_of(message, number))
        elif role == "user":
            yield from self._turn("user", text_of(message, number))
        elif role == "assistant":
            yield from self._turn("assistant", *self._answer(message, number))
        elif role in ("tool", "function"):
            yield from self._result(number)
        else:
            raise ArgumentError(
                f"messages[{number}] has role {role!r}; known are system, developer, user, "
                "assistant and tool"
            )

    def _answer(self, message: Given, number: int) -> Iterator[Piece]:
        """Reasoning, unless the user has spoken since, what was said, and what was called."""
        keeps_reasoning = number > self._last_question
        tokens = tokens_of(message, number, keeps_reasoning=True) if keeps_reasoning else None
        if tokens is not None:  # where also the marks of no reasoning are kept
            yield from tokens[:-1]  # without the end of the turn
            return
        reasoning = reasoning_of(message)
        if reasoning is not None and keeps_reasoning:
            text = text_of({"content": reasoning}, number).strip("\n")
            yield from (self._markers.think, f"\n{text}\n", self._markers.thought, "\n\n")
        content = text_of(message, number)
        yield content
        call, called = self._markers.call, self._markers.called
        for place, given in enumerate(calls_of(message, number)):
            assert call is not None and called is not None
            name, arguments, _ = called_function(given, f"messages[{number}]")
            if place or content:
                yield "\n"
            yield call
            yield call_beginning(name) + _arguments(arguments, number) + CALL_END
            yield called

    def _result(self, number: int) -> Iterator[Piece]:
        response, responded = self._markers.response, self._markers.responded
        assert response is not None and responded is not None
        if number == 0 or not _is_result(self._messages[number - 1]):
            yield from (self._markers.start, "user")
        text = text_of(self._messages[number], number)
        yield from ("\n", response, f"\n{text}\n", responded)
        if number + 1 == len(self._messages) or not _is_result(self._messages[number + 1]):
            yield from (self._markers.end, "\n")


def encoded(tokenizer: Tokenizer, pieces: Sequence[Piece]) -> list[int]:
    """The tokens of pieces; neighbouring texts are cut as one."""
    tokens: list[int] = []
    text = ""
    for piece in pieces:
        if isinstance(piece, str):
            text += piece
        else:
            tokens += [*tokenizer.encode(text), piece]
            text = ""
    return [*tokens, *tokenizer.encode(text)]


def _told(form: ResponseFormat) -> str:
    """The format has no place for a schema, so a system message tells of it."""
    schema = json.dumps(form.schema, ensure_ascii=False, separators=(",", ":"))
    return f"Answer with JSON that follows this JSON schema:\n{schema}"


def _arguments(given: Any, number: int) -> str:
    """Arguments as text; a call without any is one of no arguments."""
    if given is None or (isinstance(given, str) and not given.strip()):
        return "{}"
    if isinstance(given, str):
        return given
    return as_json(given, f"messages[{number}]: arguments of a call")


def _is_instruction(message: Given) -> bool:
    return message.get("role") in ("system", "developer")


def _is_result(message: Given) -> bool:
    return message.get("role") in ("tool", "function")


def _is_of_tools(message: Given) -> bool:
    return _is_result(message) or bool(message.get("tool_calls"))
