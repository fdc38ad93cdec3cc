"""A turn in harmony: thoughts, then an answer or a call, with their headers."""

from __future__ import annotations

import json
from collections.abc import Iterator

from pyhades.llm.grammar.compiled import Grammar
from pyhades.llm.grammar.constraint import Constraint
from pyhades.llm.grammar.turn import Turn
from pyhades.llm.grammar.vocabulary import any_of
from pyhades.llm.text.chat import NAMESPACE
from pyhades.llm.text.harmony.markers import Markers
from pyhades.llm.text.tokenizer import Tokenizer


def harmony_turn(turn: Turn, tokenizer: Tokenizer) -> Grammar:
    """The grammar of what follows ``<|start|>assistant``.

    Thoughts are free, and there may be any number of them. What is said before a call is not
    blank. Nothing is said before an answer, as it would be part of the content.
    """
    parts: list[tuple[str, Constraint]] = []
    if turn.answer is not None:
        parts.append(("answer", turn.answer))
    parts += [(f"arguments{at}", tool.arguments) for at, tool in enumerate(turn.tools)]
    return Grammar("\n".join(_Spelling(turn, Markers.of(tokenizer)).rules()), tuple(parts))


class _Spelling:
    """The rules of a turn, with the tokens of a vocabulary."""

    def __init__(self, turn: Turn, markers: Markers) -> None:
        self._turn = turn
        self._channel, self._message, self._constrain, self._call, self._return = (
            any_of([token])
            for token in (
                markers.channel, markers.message, markers.constrain, markers.call, markers.return_,
            )
        )  # fmt: skip
        self._start = f'{any_of([markers.start])} "assistant"'
        self._again = f"{any_of([markers.end])} {self._start}"

    def rules(self) -> Iterator[str]:
        turn = self._turn
        ways = [] if turn.must_call else ["final"]
        ways += ["preamble? thought* calls"] if turn.tools else []
        ways += ["built_in"] if turn.namespaces and not turn.must_call else []
        yield f"start: thought* ({' | '.join(ways)})"
        yield f'thought: {self._channel} "analysis" {self._message} text {self._again}'
        yield f'json: " "? {self._constrain} "json" | " json"'
        if not turn.must_call:
            yield self._final()
            yield from self._built_in()
        if turn.tools:
            yield from self._calls()

    def _final(self) -> str:
        answer = self._turn.answer
        is_json = answer is not None and answer.kind == "json_schema"
        header = f'{self._channel} "final" {"json?" if is_json else ""} {self._message}'
        return f"final: {header} {'text' if answer is None else '@answer'} {self._return}"

    def _built_in(self) -> Iterator[str]:
        """Calls of tools that take any text, on either of two channels."""
        if self._turn.namespaces:
            names = " | ".join(json.dumps(f" to={name}") for name in self._turn.namespaces)
            yield f'built_in: {self._channel} ("analysis" | "commentary") NAMED kind? ' + (
                f"{self._message} text {self._call}"
            )
            yield f"NAMED: ({names}) /(\\.[a-zA-Z0-9_.-]+)?/"
            yield f'kind: " "? {self._constrain} ("json" | "code") | " json" | " code"'

    def _calls(self) -> Iterator[str]:
        tools = self._turn.tools
        yield f'preamble: {self._channel} "commentary" {self._message} saying {self._again}'
        if self._turn.may_call_again:  # the answer ends where another message is none for a tool
            yield f"calls: call ({self._start} call)* others?"
            yield f'others: {self._start} {self._channel} ("final" | "analysis")'
        else:
            yield "calls: call"
        yield "call: " + " | ".join(f"call{at}" for at in range(len(tools)))
        for at, tool in enumerate(tools):
            to = f" to={NAMESPACE}.{tool.name}"
            beside, before = f'"commentary{to}"', f'"{to}" {self._channel} "commentary"'
            rest = f"json? {self._message} @arguments{at} {self._call}"
            yield f"call{at}: ({self._channel} {beside} | {before}) {rest}"
