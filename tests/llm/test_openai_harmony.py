"""Prompts are those of OpenAI's own renderer, token by token.

Needs the package ``openai-harmony`` and, as it is offline, the vocabulary o200k_base: a folder with
``o200k_base.tiktoken`` that ``TIKTOKEN_ENCODINGS_BASE`` names.
"""

from __future__ import annotations

import base64
import json
import os
from functools import cache
from pathlib import Path

import pytest

from pyhades.llm.text.harmony import HarmonyParser, render_chat
from pyhades.llm.text.tokenizer import Tokenizer

theirs = pytest.importorskip(
    "openai_harmony", reason="needs the package openai-harmony, which renders prompts"
)
FOLDER = os.environ.get("TIKTOKEN_ENCODINGS_BASE")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        FOLDER is None, reason="TIKTOKEN_ENCODINGS_BASE names no folder with o200k_base.tiktoken"
    ),
]
SPECIALS = {
    "<|startoftext|>": 199998, "<|endoftext|>": 199999, "<|return|>": 200002,
    "<|constrain|>": 200003, "<|channel|>": 200005, "<|start|>": 200006, "<|end|>": 200007,
    "<|message|>": 200008, "<|call|>": 200012,
}  # fmt: skip


@cache
def encoding():
    return theirs.load_harmony_encoding("HarmonyGptOss")


@cache
def tokenizer() -> Tokenizer:
    """The tokenizer of gpt-oss, made of the ranks of its vocabulary."""
    ranks = {}
    for line in (Path(FOLDER) / "o200k_base.tiktoken").read_bytes().splitlines():
        token, rank = line.split()
        ranks[base64.b64decode(token)] = int(rank)
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = {byte: chr(byte) for byte in printable}
    letters |= {byte: chr(256 + number) for number, byte in enumerate(others)}

    def spelled(token: bytes) -> str:
        return "".join(letters[byte] for byte in token)

    tokens = [""] * 201088
    types = [5] * 201088
    for token, rank in ranks.items():
        tokens[rank], types[rank] = spelled(token), 1
    for number, unused in enumerate(types):
        tokens[number] = f"<|reserved_{number}|>" if unused == 5 else tokens[number]
    for name, number in SPECIALS.items():
        tokens[number], types[number] = name, 3
    merges = [" ".join(map(spelled, pair)) for pair in _merges(ranks)]
    return Tokenizer.from_gguf(
        {"tokens": tokens, "token_type": types, "merges": merges, "pre": "gpt-4o"}
    )


def _merges(ranks):
    """For every token, the two that it is made of: what is left when only lower ranks merge."""
    for token, rank in sorted(ranks.items(), key=lambda item: item[1]):
        if len(token) == 1:
            continue
        parts = [bytes([byte]) for byte in token]
        while len(parts) > 2:
            merged = [(ranks.get(parts[i] + parts[i + 1], rank), i) for i in range(len(parts) - 1)]
            lowest, at = min(merged)
            assert lowest < rank
            parts[at : at + 2] = [parts[at] + parts[at + 1]]
        yield parts


def system(**fields):
    content = theirs.SystemContent(conversation_start_date="2025-06-28", **fields)
    return theirs.Message.from_role_and_content(theirs.Role.SYSTEM, content)


def message(role, text, **fields):
    made = theirs.Message.from_role_and_content(role, text)
    return made.model_copy(update=fields)


def expected(*messages) -> list[int]:
    conversation = theirs.Conversation.from_messages(messages)
    return encoding().render_conversation_for_completion(conversation, theirs.Role.ASSISTANT)


def rendered(messages, **options) -> list[int]:
    return render_chat(messages, tokenizer(), **{"date": "2025-06-28", **options})


ASK = {"role": "user", "content": "Größe? 12345 \N{SNOWMAN}\n\n  it's"}
ASKED = ("user", ASK["content"])


def test_text_is_cut_as_tiktoken_cuts_it():
    for text in (ASK["content"], "  HelloWorld's\r\n\t x", json.dumps(SPECIALS), "日本語のテスト"):
        assert tokenizer().encode(text) == encoding().encode(text, disallowed_special=())


@pytest.mark.parametrize("effort", ["low", "medium", "high"])
def test_a_question(effort):
    first = system(reasoning_effort=theirs.ReasoningEffort(effort.capitalize()))
    assert rendered([ASK], reasoning_effort=effort) == expected(
        first, message(theirs.Role.USER, ASK["content"])
    )


@pytest.mark.parametrize("names", [["browser"], ["python"], ["browser", "python"]])
def test_built_in_tools(names):
    made = {name: getattr(theirs.ToolNamespaceConfig, name)() for name in names}
    assert rendered([ASK], builtin_tools=names) == expected(
        system(tools=made), message(theirs.Role.USER, ASK["content"])
    )


def test_identity_and_instructions():
    developer = theirs.DeveloperContent(instructions="Be kind.")
    assert rendered(
        [{"role": "system", "content": "Be kind."}, ASK], model_identity="You are Hades."
    ) == expected(
        system(model_identity="You are Hades."),
        theirs.Message.from_role_and_content(theirs.Role.DEVELOPER, developer),
        message(theirs.Role.USER, ASK["content"]),
    )


def test_functions():
    parameters = {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "Its name"},
            "unit": {"type": "string", "enum": ["c", "k"], "default": "c"},
            "days": {"type": "array", "items": {"type": "number"}},
        },
        "required": ["city"],
    }
    tool = {"name": "weather", "description": "Tells it.", "parameters": parameters}
    developer = theirs.DeveloperContent().with_function_tools(
        [theirs.ToolDescription.new("weather", "Tells it.", parameters=parameters)]
    )
    assert rendered([ASK], tools=[{"type": "function", "function": tool}]) == expected(
        system(),
        theirs.Message.from_role_and_content(theirs.Role.DEVELOPER, developer),
        message(theirs.Role.USER, ASK["content"]),
    )


@pytest.mark.parametrize(
    "text",
    [
        "<|channel|>final<|message|>Hello<|return|>",
        "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Yes"
        "<|return|>",
        "<|channel|>commentary to=functions.f <|constrain|>json<|message|>{}<|call|>",
        "<|channel|>analysis to=browser.search code<|message|>{}<|call|>",
    ],
)
def test_answers_are_read_alike(text):
    tokens = encoding().encode(text, allowed_special="all")
    parser = HarmonyParser(tokenizer())
    for token in tokens:
        parser.push(token)
    read = encoding().parse_messages_from_completion_tokens(tokens, theirs.Role.ASSISTANT)
    assert [(m.channel, m.recipient, m.content) for m in parser.messages] == [
        (m.channel, m.recipient, m.content[0].text) for m in read
    ]
