"""Arguments of a wrong type or value: an exception of ours that names them, never a bare one."""

from __future__ import annotations

import random

import numpy as np
import pytest

import pyhades
from pyhades.errors import ArgumentError, ArgumentTypeError, PyhadesError
from pyhades.llm import Conversation, opening
from pyhades.llm.text.tokenizer import Tokenizer

ASK = [{"role": "user", "content": "Hi"}]
CHAT = ("tools", "tool_choice", "parallel_tool_calls", "reasoning_effort", "date", "instructions",
        "model_identity", "builtin_tools", "response_format", "continue_final_message",
        "stream")  # fmt: skip
WRONG = [5, 1.5, b"x", [None], [[1.5]], [True], object()]


@pytest.fixture(scope="module")
def llm():
    with pyhades.LLM(threads=1) as opened:
        yield opened


@pytest.mark.parametrize(
    ("name", "values"),
    {
        "context_length": ["512", True, 3.5, 0, -1, 10**9],
        "max_sequences": [0, -1, "8", 2.5, None, True],
        "kv_memory": ["1GB", -1, 1.5, [1]],
        "prefix_cache": [None, 1, "no"],
        "threads": ["2", 0, -1, 1.5],
        "isa": [5, "avx9"],
        "precision": [5, "fp8", []],
        "options": [{}, "x"],
        "kv_format": [5, None, "fp8"],
        "model": [5, [], {}, b"x", True],
    }.items(),
)
def test_opening(name, values):
    for value in values:
        with pytest.raises(PyhadesError) as caught:
            pyhades.LLM(**{"threads": 1, "progress": False, name: value})
        message = str(caught.value)
        # (The number of sequences and the precision are named by what they are about.)
        assert name in message or name.split("_")[0] in message or repr(value) in message
        assert "slot" not in message


@pytest.mark.parametrize("wrong", [{"context_length": 10**9}, {"max_sequences": 0}])
def test_what_is_wrong_is_told_before_weights_are_read(wrong, monkeypatch):
    monkeypatch.setattr(opening, "load_weights", lambda *_, **__: pytest.fail("they were read"))
    with pytest.raises(ArgumentError, match=next(iter(wrong))):
        pyhades.LLM(threads=1, progress=False, **wrong)


@pytest.mark.parametrize(
    ("keywords", "complaint"),
    [
        ({"error_budget": "x"}, "error_budget='x' is not a number"),
        ({"error_budget": -1}, "error_budget=-1"),
        ({"calibration": "abc"}, "calibration is str"),
        ({"calibration": [1.5]}, r"calibration holds 1\.5"),
        ({"calibration": [10**9]}, "calibration: token 1000000000"),
    ],
)
def test_opening_with_measured_formats(keywords, complaint):
    with pytest.raises((ArgumentError, ArgumentTypeError), match=complaint):
        pyhades.LLM(precision="auto", threads=1, progress=False, **keywords)


CALLS = {
    "prompts": lambda llm, value: llm.generate(value, max_tokens=1),
    "params": lambda llm, value: llm.generate("a", value),
    "on_delta": lambda llm, value: llm.generate("a", on_delta=value, max_tokens=1),
    "stream": lambda llm, value: llm.stream(value, max_tokens=1),
    "logits": lambda llm, value: llm.logits(value),
    "tokenize": lambda llm, value: llm.tokenize(value),
    "messages": lambda llm, value: llm.chat(value, max_tokens=1),
    "message": lambda llm, value: llm.chat([value], max_tokens=1),
    "content": lambda llm, value: llm.chat([{"role": "user", "content": value}], max_tokens=1),
    "role": lambda llm, value: llm.chat([{"role": value, "content": "a"}], max_tokens=1),
    "name": lambda llm, value: llm.chat([ASK[0] | {"name": value}], max_tokens=1),
    "tool_calls": lambda llm, value: llm.chat(
        [*ASK, {"role": "assistant", "tool_calls": value}], max_tokens=1
    ),
    "conversation": lambda llm, value: Conversation(value),
    "conversation's params": lambda llm, value: Conversation(llm, value),
    "system": lambda llm, value: Conversation(llm, system=value),
    "question": lambda llm, value: Conversation(llm).ask(value),
    "tokenizer": lambda llm, value: Tokenizer.from_json(value),
    "vocabulary": lambda llm, value: Tokenizer.from_gguf(value),
} | {
    name: lambda llm, value, name=name: llm.chat(ASK, max_tokens=1, **{name: value})
    for name in CHAT
}


@pytest.mark.parametrize("name", CALLS)
def test_calls(llm, name):
    for value in WRONG:
        with pytest.raises(PyhadesError):
            CALLS[name](llm, value)


def test_nothing_is_an_error_and_no_wait(llm):
    for call in (
        lambda: llm.logits([]),
        lambda: llm.generate(""),
        lambda: llm.generate([]),
        lambda: llm.chat([]),
    ):
        with pytest.raises(ArgumentError, match="empty"):
            call()


@pytest.mark.parametrize("prompts", [["text", 7], [7, "text"], ["a", None], [[1], 7], ["a", 1.5]])
def test_lists_that_are_neither_prompts_nor_tokens(llm, prompts):
    """No prompt is lost without a word."""
    for ask in (llm.generate, llm.stream):
        with pytest.raises(ArgumentTypeError, match=r"prompts\[[01]\]"):
            ask(prompts, max_tokens=1)
    assert len(llm.generate(["text", [7]], max_tokens=1)) == 2


@pytest.mark.parametrize("tokens", ["abc", b"abc", None, 5, [None], [1.5], ["1"], [True], {1: 2}])
def test_tokens_of_a_text(llm, tokens):
    with pytest.raises(ArgumentTypeError, match="tokens"):
        llm.detokenize(tokens)
    assert llm.detokenize(np.array([104, 105])) == llm.detokenize([104, 105])


@pytest.mark.parametrize(
    "tool",
    [
        {"name": "a", "parameters": {"type": "object", "properties": 5}},
        {"name": "a", "parameters": {"type": "object", "properties": {"b": {}}, "required": 5}},
        {"name": "a", "parameters": {"properties": {"b": {"default": object()}}}},
        {"name": "a", "parameters": {"properties": {"b": {"enum": [b"x"]}}}},
    ],
    ids=["properties", "required", "default", "enum"],
)
def test_schemas(llm, tool):
    with pytest.raises((ArgumentError, ArgumentTypeError), match="schema of tools"):
        llm.chat(ASK, tools=[tool], max_tokens=1)


KEYS = ("type", "function", "name", "parameters", "properties", "required", "enum", "schema", "id",
        "json_schema", "strict", "mode", "tools", "default", "items", "anyOf", "$ref", "content",
        "arguments")  # fmt: skip


class Junk:
    """Values of any type, and dicts and lists of them under keys that mean something."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)

    def value(self, depth: int = 0):
        kind = self.dice.random()
        if depth < 3 and kind < 0.3:
            keys = self.dice.sample(KEYS, self.dice.randrange(3))
            return {key: self.value(depth + 1) for key in keys}
        if depth < 3 and kind < 0.45:
            return [self.value(depth + 1) for _ in range(self.dice.randrange(3))]
        return self.dice.choice([*WRONG, None, "", "f", "\ud800", -1, 10**30, float("nan"), {}])

    def messages(self):
        if self.dice.random() < 0.5:
            return ASK
        keys = ("content", "tool_calls", "tool_call_id", "name", "reasoning")
        return [
            {"role": self.dice.choice(["user", "assistant", "tool", "system", None, 5])}
            | {key: self.value(1) for key in self.dice.sample(keys, self.dice.randrange(3))}
            for _ in range(self.dice.randrange(1, 4))
        ]

    def keywords(self):
        given = {"max_tokens": 1}
        if self.dice.random() < 0.4:
            function = {"name": "f", "strict": self.value(3), "parameters": self.value()}
            given["tools"] = [{"type": "function", "function": function}]
        names = self.dice.sample(CHAT, self.dice.randrange(3))
        return given | {name: self.value() for name in names}


@pytest.mark.parametrize("seed", range(10))
def test_chats_of_anything(llm, seed):
    """It is answered, or refused with an error of ours."""
    junk = Junk(seed)
    refused = 0
    for _ in range(40):
        try:
            llm.chat(junk.messages(), **junk.keywords())
        except PyhadesError:
            refused += 1
    assert 0 < refused < 40
