"""Following grammars with the 201 088 tokens of gpt-oss: compiling them, and a mask per token.

Needs PYHADES_O200K, a folder with ``o200k_base.tiktoken``.
"""

from __future__ import annotations

import json

import numpy as np
import pytest

from bench.schemas import CASES
from pyhades.llm.grammar import json_schema
from pyhades.llm.grammar.compiled import Compiled, Grammar, Grammars
from pyhades.llm.grammar.harmony import harmony_turn
from pyhades.llm.grammar.turn import Turn
from pyhades.llm.grammar.vocabulary import Vocabulary
from pyhades.llm.text.tokenizer import Tokenizer

pytest.importorskip("llguidance")


def turn_of(name: str, tokenizer: Tokenizer) -> Grammar:
    return harmony_turn(Turn(json_schema(CASES[name][0])), tokenizer)


def grammars_of(tokenizer: Tokenizer) -> Grammars:
    return Grammars(tokenizer, 201_088, [tokenizer.specials["<|return|>"]])


def answer_of(name: str, tokenizer: Tokenizer) -> list[int]:
    """A short thought, then the document as models write it."""
    special, encode = tokenizer.specials, tokenizer.encode
    thought = "The user asks for data. I read the text once more and fill in what it says."
    return [
        special["<|channel|>"], *encode("analysis"), special["<|message|>"], *encode(thought),
        special["<|end|>"], special["<|start|>"], *encode("assistant"), special["<|channel|>"],
        *encode("final"), special["<|message|>"],
        *encode(json.dumps(CASES[name][1], ensure_ascii=False)), special["<|return|>"],
    ]  # fmt: skip


@pytest.fixture(scope="module")
def words() -> np.ndarray:
    return np.empty(201_088 // 32, np.uint32)


def bench_vocabulary(benchmark, o200k_tokenizer):
    """Once for a model."""
    end = o200k_tokenizer.specials["<|return|>"]
    benchmark.pedantic(Vocabulary, (o200k_tokenizer, 201_088, end), rounds=2)


@pytest.mark.parametrize("name", CASES)
def bench_compile(benchmark, o200k_tokenizer, name):
    grammar = turn_of(name, o200k_tokenizer)
    grammars_of(o200k_tokenizer).compiled(grammar)

    def compiled() -> Compiled:
        return grammars_of(o200k_tokenizer).compiled(grammar)

    benchmark.pedantic(compiled, rounds=5)


@pytest.mark.parametrize("name", CASES)
def bench_masks(benchmark, o200k_tokenizer, words, name):
    """All of a short answer; the time is that of one token."""
    answer = answer_of(name, o200k_tokenizer)
    begin = grammars_of(o200k_tokenizer).compiled(turn_of(name, o200k_tokenizer)).filters()
    benchmark.extra_info["tokens"] = len(answer)

    def written() -> None:
        token_filter = begin()
        for token in answer:
            token_filter.fill(words)
            token_filter.accept(token)
        assert token_filter.finished

    benchmark.pedantic(written, rounds=5)
