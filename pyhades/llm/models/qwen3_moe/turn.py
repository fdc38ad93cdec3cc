"""A turn in ChatML, as Qwen3 speaks it, as a grammar."""

from __future__ import annotations

from pyhades.llm.grammar.compiled import Grammar
from pyhades.llm.grammar.turn import Turn
from pyhades.llm.grammar.vocabulary import any_of
from pyhades.llm.text.tokenizer import Tokenizer


def chatml_turn(turn: Turn, tokenizer: Tokenizer) -> Grammar:
    """The grammar of what follows ``<|im_start|>assistant``: thoughts, then the answer.

    The format has no tools here, so :func:`render_chat` has refused them before.
    """
    think, thought, end = (
        any_of([tokenizer.specials[name]]) for name in ("<think>", "</think>", "<|im_end|>")
    )
    rules = (
        f"start: thoughts? {'text' if turn.answer is None else '@answer'} {end}\n"
        f'thoughts: {think} text {thought} "\\n\\n"'
    )
    return Grammar(rules, () if turn.answer is None else (("answer", turn.answer),))
