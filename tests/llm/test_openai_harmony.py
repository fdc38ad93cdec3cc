"""Prompts are those of OpenAI's own renderer, token by token.

Needs the package ``openai-harmony`` and, as it is offline, the vocabulary o200k_base: a folder with
``o200k_base.tiktoken`` that ``PYHADES_O200K`` or ``TIKTOKEN_ENCODINGS_BASE`` names.
"""

from __future__ import annotations

import json
import os
import random
import re
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


TEXTS = [ASK["content"], "It's 21.", '{"a": [1, "ä"]}', "<|end|>", " \n"]
FUNCTIONS = ("weather", "get-time", "a_b2")
_RECIPIENT = re.compile(r"(<\|start\|>assistant)( to=[\w.-]+)(<\|channel\|>\w+)")
_PARTS = re.compile(rf"({'|'.join(map(re.escape, SPECIALS))})")


class Talk:
    """A random conversation, in the messages of OpenAI's API and in those of harmony."""

    def __init__(self, seed: int, turns: int) -> None:
        self.dice = random.Random(seed)
        self.ours: list[dict] = []
        self.theirs: list = [system()]
        for _ in range(turns):
            self.question()
            for _ in range(self.dice.randrange(3)):
                self.calls()
            if self.dice.random() < 0.8:
                self.answer()

    def text(self) -> str:
        return self.dice.choice(TEXTS)

    def say(self, role, text, name=None, **fields):
        author = theirs.Author(role=role, name=name)
        said = theirs.Message.from_author_and_content(author, text)
        self.theirs.append(said.model_copy(update=fields))

    def question(self):
        self.ours.append({"role": "user", "content": self.text()})
        self.say(theirs.Role.USER, self.ours[-1]["content"])

    def thought(self) -> dict:
        """Fields of a message that was thought about, or was not."""
        if self.dice.random() < 0.3:
            return {}
        thought = self.text()
        self.say(theirs.Role.ASSISTANT, thought, channel="analysis")
        return {self.dice.choice(["reasoning", "reasoning_content"]): thought}

    def calls(self):
        message = {"role": "assistant", "content": None, **self.thought(), "tool_calls": []}
        if self.dice.random() < 0.3:
            message["content"] = self.text()
            self.say(theirs.Role.ASSISTANT, message["content"], channel="commentary")
        names = [self.dice.choice(FUNCTIONS) for _ in range(self.dice.randrange(1, 3))]
        self.ours.append(message)
        for name in names:
            arguments = json.dumps({"city": self.text()}, ensure_ascii=False)
            number = f"call_{len(self.theirs)}"
            function = {"name": name, "arguments": arguments}
            message["tool_calls"].append({"id": number, "type": "function", "function": function})
            self.say(theirs.Role.ASSISTANT, arguments, channel="commentary",
                     recipient=f"functions.{name}", content_type="<|constrain|>json")  # fmt: skip
        for call, name in zip(message["tool_calls"], names, strict=True):
            result = self.text()
            self.ours.append({"role": "tool", "tool_call_id": call["id"], "content": result})
            self.say(theirs.Role.TOOL, result, f"functions.{name}", channel="commentary",
                     recipient="assistant")  # fmt: skip

    def answer(self):
        self.ours.append({"role": "assistant", **self.thought(), "content": self.text()})
        self.say(theirs.Role.ASSISTANT, self.ours[-1]["content"], channel="final")


def with_recipients_behind_channels(tokens) -> list[int]:
    """Where models write them; OpenAI's renderer puts them before, which says the same."""
    # A special token that somebody has written as text stays text: it is spelled out meanwhile.
    moved, text, named = [], [], {number: name for name, number in SPECIALS.items()}
    for token in [*tokens, None]:
        if token is not None and token not in named:
            text.append(token)
            continue
        moved.append(encoding().decode(text).replace("<|", "<\0|"))
        moved.append("" if token is None else named[token])
        text = []
    pieces = _PARTS.split(_RECIPIENT.sub(r"\1\3\2", "".join(moved)))
    return [
        token
        for piece in pieces
        for token in (
            [SPECIALS[piece]]
            if piece in SPECIALS
            else encoding().encode(piece.replace("<\0|", "<|"), disallowed_special=())
        )
    ]


@pytest.mark.parametrize("seed", range(40))
def test_histories(seed):
    """Of a turn: calls and their results, what is said before calls, thoughts until the answer."""
    talk = Talk(seed, turns=1)
    assert rendered(talk.ours) == with_recipients_behind_channels(expected(*talk.theirs))


@pytest.mark.parametrize("seed", range(40))
def test_histories_of_several_turns(seed):
    """Thoughts go with the answer that they led to; OpenAI's renderer drops those of the first."""
    talk = Talk(seed, turns=3)
    finals = [at for at, each in enumerate(talk.theirs) if each.channel == "final"]
    said = [
        each
        for at, each in enumerate(talk.theirs)
        if each.channel != "analysis" or at > max(finals, default=0)
    ]
    whole = theirs.RenderConversationConfig(auto_drop_analysis=False)
    tokens = encoding().render_conversation_for_completion(
        theirs.Conversation.from_messages(said), theirs.Role.ASSISTANT, whole
    )
    assert rendered(talk.ours) == with_recipients_behind_channels(tokens)


@pytest.mark.parametrize("seed", range(40))
def test_random_answers_are_read_alike(seed):
    """Whole turns, as their renderer writes them."""
    talk = Talk(seed, turns=1)
    turn = [each for each in talk.theirs if each.author.role == theirs.Role.ASSISTANT]
    tokens = [token for each in turn for token in encoding().render(each)]
    start = len(encoding().encode("<|start|>assistant", allowed_special="all"))
    parser = HarmonyParser(tokenizer(), frozenset(FUNCTIONS))
    for token in tokens[start:]:
        parser.push(token)
    parser.finish()
    assert [(m.channel, m.recipient, m.content) for m in parser.messages] == [
        (m.channel, m.recipient, m.content[0].text) for m in turn
    ]


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
