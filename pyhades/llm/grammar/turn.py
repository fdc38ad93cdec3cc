"""What an assistant may say in its turn, before a chat format spells it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pyhades.errors import ArgumentError
from pyhades.llm.grammar.compiled import Grammar
from pyhades.llm.grammar.constraint import Constraint, check_constraint
from pyhades.llm.grammar.json_schema import json_schema
from pyhades.llm.grammar.library import is_installed
from pyhades.llm.text.chat_options import ChatOptions
from pyhades.llm.text.tokenizer import Tokenizer
from pyhades.llm.text.tools import as_mapping

_NO_ARGUMENTS = {"type": "object", "properties": {}, "additionalProperties": False}


@dataclass(frozen=True)
class Tool:
    """A function that may be called.

    Attributes
    ----------
    name
        Without a namespace.
    arguments
        What its arguments have to be.
    """

    name: str
    arguments: Constraint


@dataclass(frozen=True)
class Turn:
    """What may come of one turn.

    Attributes
    ----------
    answer
        What has to be said to the user in the end; None for any text.
    tools
        What may be called instead.
    must_call
        Whether one of them has to be.
    may_call_again
        Whether other calls may follow a call.
    namespaces
        Of tools that the model knows by itself, which take any text.
    """

    answer: Constraint | None = None
    tools: tuple[Tool, ...] = ()
    must_call: bool = False
    may_call_again: bool = False
    namespaces: tuple[str, ...] = ()


class SpeaksTurns(Protocol):
    """A chat format, as far as it is needed here."""

    @property
    def turn(self) -> Callable[[Turn, Tokenizer], Grammar]:
        """Spells a turn."""


def turn_constraint(
    options: ChatOptions,
    constraint: Constraint | None,
    chat_format: SpeaksTurns,
    tokenizer: Tokenizer,
) -> Grammar | None:
    """The grammar of a turn; None where nothing has to be kept to.

    Arguments follow the schema of a tool that is ``strict``; of others, in a turn that has a
    grammar at all, as far as their schema can be followed.

    Parameters
    ----------
    options
        Of the chat: tools, ``tool_choice`` and ``response_format`` are looked at.
    constraint
        What the answer has to be, in place of ``response_format``.
    chat_format
        How the model marks the parts of its turn.
    tokenizer
        That of the model.

    Raises
    ------
    ArgumentError
        Two things are asked for that exclude each other.
    """
    answer = _answer(options, constraint)
    offer = options.offer
    is_strict = any(function.get("strict") is True for function in offer.functions)
    # Without the library, a call that is required is begun in the prompt.
    is_for_call = offer.is_required and is_installed()
    if answer is None and not is_strict and not is_for_call:
        return None
    turn = Turn(
        answer,
        tuple(map(_tool, offer.functions)),
        offer.is_required,
        bool(options.parallel_tool_calls),
        tuple(map(_namespace, options.builtin_tools or ())),
    )
    return chat_format.turn(turn, tokenizer)


def _answer(options: ChatOptions, constraint: Constraint | None) -> Constraint | None:
    """What the answer has to be. A schema that is not strict is only told."""
    if constraint is not None:
        check_constraint(constraint)
        if options.form is not None:
            raise ArgumentError("there are both constraint and response_format; give one")
        return constraint
    if options.form is None or not options.form.is_strict:
        return None
    return json_schema(options.form.schema, where="schema of response_format")


def _tool(function: Mapping[str, Any]) -> Tool:
    name, schema = function["name"], function.get("parameters")
    where = f"parameters of the tool {name}"
    if function.get("strict") is True:
        given = _NO_ARGUMENTS if schema is None else schema
        return Tool(name, json_schema(given, where=where))
    return Tool(name, json_schema(schema or {"type": "object"}, lenient=True, where=where))


def _namespace(tool: Any) -> str:
    given = as_mapping(tool)
    return str(given.get("name") or given.get("type")) if isinstance(given, Mapping) else str(given)
