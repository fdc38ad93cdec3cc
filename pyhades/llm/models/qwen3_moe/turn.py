"""A turn in ChatML, as Qwen3 speaks it, as a grammar."""

from __future__ import annotations

import json
from collections.abc import Iterator

from pyhades.llm.grammar.compiled import Grammar
from pyhades.llm.grammar.constraint import Constraint
from pyhades.llm.grammar.turn import Turn
from pyhades.llm.grammar.vocabulary import any_of
from pyhades.llm.models.qwen3_moe.calls import CALL_END, call_beginning
from pyhades.llm.models.qwen3_moe.markers import Markers
from pyhades.llm.text.tokenizer import Tokenizer


def chatml_turn(turn: Turn, tokenizer: Tokenizer) -> Grammar:
    """The grammar of what follows ``<|im_start|>assistant``: thoughts, then an answer or calls."""
    markers = Markers.of(tokenizer, with_tools=bool(turn.tools))
    parts: list[tuple[str, Constraint]] = []
    if turn.answer is not None:
        parts.append(("answer", turn.answer))
    parts += [(f"arguments{at}", tool.arguments) for at, tool in enumerate(turn.tools)]
    return Grammar("\n".join(_rules(turn, markers)), tuple(parts))


def _rules(turn: Turn, markers: Markers) -> Iterator[str]:
    think, thought, end = map(_token, (markers.think, markers.thought, markers.end))
    ways = [] if turn.must_call else ["text" if turn.answer is None else "@answer"]
    ways += ["saying? calls"] if turn.tools else []
    yield f"start: thoughts? ({' | '.join(ways)}) {end}"
    yield f'thoughts: {think} text {thought} "\\n\\n"'
    if not turn.tools:
        return
    yield f"calls: call{' (NEXT call)*' if turn.may_call_again else ''}"
    if turn.may_call_again:
        yield 'NEXT: "\\n"'
    yield "call: " + " | ".join(f"call{at}" for at in range(len(turn.tools)))
    call, called = _token(markers.call), _token(markers.called)
    for at, tool in enumerate(turn.tools):
        before, behind = json.dumps(call_beginning(tool.name)), json.dumps(CALL_END)
        yield f"call{at}: {call} {before} @arguments{at} {behind} {called}"


def _token(marker: int | None) -> str:
    assert marker is not None
    return any_of([marker])
