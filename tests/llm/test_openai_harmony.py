"""Prompts are those of OpenAI's own renderer, token by token.

Needs the package ``openai-harmony`` and, as it is offline, the vocabulary o200k_base: a folder with
``o200k_base.tiktoken`` that ``PYHADES_O200K`` or ``TIKTOKEN_ENCODINGS_BASE`` names.
"""

from __future__ import annotations

import json
import os
from functools import cache

import pytest

from pyhades.llm.text.harmony import HarmonyParser, render_chat
from tests.support import o200k
from tests.support.o200k import SPECIALS, tokenizer

theirs = pytest.importorskip(
    "openai_harmony", reason="needs the package openai-harmony, which renders prompts"
)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        o200k.FOLDER is None,
        reason="PYHADES_O200K names no folder with o200k_base.tiktoken",
    ),
]


@cache
def encoding():
    os.environ.setdefault("TIKTOKEN_ENCODINGS_BASE", str(o200k.FOLDER))
    return theirs.load_harmony_encoding("HarmonyGptOss")


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
