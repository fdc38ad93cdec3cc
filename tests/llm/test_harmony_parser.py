"""Answers are split into messages, also where the model has left out or repeated a marker."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyhades.errors import ModelError
from pyhades.llm.text.chat import ChatAnswer, Message
from pyhades.llm.text.harmony import HarmonyParser, Markers
from pyhades.llm.text.tokenizer import REPLACEMENT, Tokenizer
from tests.support.toy_tokenizer import tokenizer_json, tokens_of, toy_tokenizer


def parsed(text: str) -> ChatAnswer:
    parser = HarmonyParser(toy_tokenizer())
    deltas = [delta for token in tokens_of(text) for delta in parser.push(token)]
    deltas += parser.finish()
    answer = ChatAnswer.collect(deltas)
    assert parser.messages == list(answer.messages)
    assert [delta.finish_reason for delta in deltas[:-1]] == [None] * (len(deltas) - 1)
    return answer


def assistant(channel: str | None, content: str, recipient=None, content_type=None) -> Message:
    return Message("assistant", content, channel, recipient, content_type)


def test_reasoning_then_an_answer():
    answer = parsed(
        "<|channel|>analysis<|message|>They greet.<|end|>"
        "<|start|>assistant<|channel|>final<|message|>Hello 🌦️!<|return|>"
    )
    assert answer.messages == (assistant("analysis", "They greet."), assistant("final", "Hello 🌦️!"))
    assert (answer.reasoning, answer.content) == ("They greet.", "Hello 🌦️!")
    assert answer.finish_reason == "stop"
    assert answer.message == {
        "role": "assistant", "content": "Hello 🌦️!", "reasoning": "They greet."
    }  # fmt: skip


def test_pieces_come_with_their_tokens():
    parser = HarmonyParser(toy_tokenizer())
    pushed = [
        (token, [(d.kind, d.channel, d.text, d.index) for d in parser.push(token)])
        for token in tokens_of("<|channel|>analysis<|message|>ab<|end|>"
                               "<|start|>assistant<|channel|>final<|message|>日<|return|>")
    ]  # fmt: skip
    pieces = [piece for _, pieces in pushed for piece in pieces]
    assert pieces[0] == ("reasoning", "analysis", "", 0)
    assert "".join(text for kind, _, text, _ in pieces if kind == "reasoning") == "ab"
    assert [piece for piece in pieces if piece[0] == "content"] == [
        ("content", "final", "", 1), ("content", "final", "日", 1),
    ]  # fmt: skip
    assert [(d.text, d.finish_reason) for d in parser.finish()] == [("", "stop")]


@pytest.mark.parametrize(
    "header",
    [
        "<|channel|>commentary to=functions.get_weather <|constrain|>json",
        "<|channel|>commentary to=functions.get_weather<|constrain|>json",
        " to=functions.get_weather<|channel|>commentary <|constrain|>json",
        " to=functions.get_weather<|channel|>commentary json",
        "<|channel|>commentary to=functions.get_weather json",
        "<|channel|>commentary to= functions.get_weather json",
        "<|channel|>commentary functions.get_weather <|constrain|>json",
        "<|channel|>commentary<|channel|>commentary to=functions.get_weather <|constrain|>json",
        "<|end|><|start|>assistant to=functions.get_weather<|channel|>commentary json",
        "<|start|>assistant<|start|>assistant<|channel|>commentary to=functions.get_weather json",
    ],
)
def test_a_call_in_every_spelling(header):
    answer = parsed(f'{header}<|message|>{{"city": "Paris"}}<|call|>')
    assert answer.messages == (
        assistant("commentary", '{"city": "Paris"}', "functions.get_weather", "json"),
    )
    assert [(call.name, call.arguments) for call in answer.tool_calls] == [
        ("get_weather", '{"city": "Paris"}')
    ]
    assert answer.finish_reason == "tool_calls"
    assert answer.content == ""


def test_a_preamble_and_two_calls():
    call = "<|start|>assistant<|channel|>commentary to=functions.a <|constrain|>json<|message|>{}"
    answer = parsed(
        "<|channel|>analysis<|message|>Look.<|end|>"
        "<|start|>assistant<|channel|>commentary<|message|>I look it up.<|end|>"
        f"{call}<|end|>{call}<|call|>"
    )
    assert answer.content == "I look it up."
    assert [call.name for call in answer.tool_calls] == ["a", "a"]
    assert len({call.id for call in answer.tool_calls}) == 2
    assert answer.message["content"] == "I look it up."
    assert json.loads(answer.message["tool_calls"][1]["function"]["arguments"]) == {}


def test_tools_that_the_model_knows_itself():
    answer = parsed("<|channel|>analysis to=python code<|message|>1+1<|call|>")
    assert answer.messages == (assistant("analysis", "1+1", "python", "code"),)
    assert [call.name for call in answer.tool_calls] == ["python"]


def test_messages_of_others_are_not_the_answer():
    answer = parsed(
        "<|channel|>final<|message|>Hi<|end|><|start|>functions.a to=assistant<|channel|>commentary"
        "<|message|>21<|end|><|start|>user<|message|>Thanks<|end|>"
    )
    assert [message.role for message in answer.messages] == ["assistant", "functions.a", "user"]
    assert [message.kind for message in answer.messages] == ["content", "other", "other"]
    assert answer.content == "Hi"


MALFORMED = {
    "no format at all": ("Hello there", [(None, "Hello there")]),
    "no channel": ("<|message|>Hello<|return|>", [(None, "Hello")]),
    "no message marker": ("<|channel|>final Hello there<|return|>", [("final", "Hello there")]),
    "no marker of the channel": ("final<|message|>Hello<|return|>", [("final", "Hello")]),
    "role and channel in one": (
        "<|end|><|start|>assistantfinal<|message|>Hello<|return|>", [("final", "Hello")]),
    "channel and text in one": (
        "<|channel|>finalHello you<|return|>", [("final", "Hello you")]),
    "an unknown channel": ("<|channel|>summary<|message|>Hello<|return|>", [("summary", "Hello")]),
    "a channel that is text": ("<|channel|>Hello<|return|>", [(None, "Hello")]),
    "a channel inside a message": (
        "<|channel|>analysis<|message|>Hm.<|channel|>final<|message|>Yes<|return|>",
        [("analysis", "Hm."), ("final", "Yes")]),
    "no end": (
        "<|channel|>analysis<|message|>Hm.<|start|>assistant<|channel|>final<|message|>Yes",
        [("analysis", "Hm."), ("final", "Yes")]),
    "no start": (
        "<|channel|>analysis<|message|>Hm.<|end|>assistant<|channel|>final<|message|>Yes<|return|>",
        [("analysis", "Hm."), ("final", "Yes")]),
    "text between messages": (
        "<|channel|>analysis<|message|>Hm.<|end|>So:<|start|>assistant<|channel|>final<|message|>Yes",
        [("analysis", "Hm."), (None, "So:"), ("final", "Yes")]),
    "white space between messages": (
        "<|channel|>analysis<|message|>Hm.<|end|>\n<|start|>assistant<|channel|>final<|message|>Yes",
        [("analysis", "Hm."), ("final", "Yes")]),
    "a header that never ends": (
        "<|start|>assistant<|channel|>final The answer is {x} and so on",
        [("final", "The answer is {x} and so on")]),
    "text instead of a role": ("<|start|>Hello there<|end|>", [(None, "Hello there")]),
    "text that begins like a header": ("to be or not", [(None, "to be or not")]),
    "text that begins like a channel": (
        "finally, the weather is nice today", [(None, "finally, the weather is nice today")]),
    "a doubled message marker": (
        "<|channel|>final<|message|><|message|>Hello<|return|>", [("final", "Hello")]),
    "reserved tokens": (
        "<|reserved_1|><|channel|>final<|message|>Hel<|reserved_1|>lo<|return|>",
        [("final", "Hello")]),
    "constrained text": (
        '<|channel|>final <|constrain|>json<|message|>{"a":1}<|return|>', [("final", '{"a":1}')]),
    "a second line in the header": (
        "<|channel|>final\nHello<|return|>", [("final", "Hello")]),
    "a channel that was none": (
        "<|channel|>Well<|channel|>final<|message|>, hello<|return|>", [("final", "Well, hello")]),
    "for everybody": ("<|channel|>final to=all<|message|>Hello<|return|>", [("final", "Hello")]),
    "for the user": (" to=user<|channel|>final<|message|>Hello<|return|>", [("final", "Hello")]),
    "cut in a header": ("<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>fin",
                        [("analysis", "Hm.")]),
}  # fmt: skip


@pytest.mark.parametrize("name", MALFORMED)
def test_no_text_of_a_malformed_answer_is_lost(name):
    text, expected = MALFORMED[name]
    if name == "cut in a header":
        expected = [*expected, (None, "fin")]
    answer = parsed(text)
    assert [(message.channel, message.content) for message in answer.messages] == expected
    assert all(message.role == "assistant" for message in answer.messages)
    assert all(message.recipient is None for message in answer.messages)


def test_a_call_without_a_message_marker():
    answer = parsed('<|channel|>commentary to=functions.a <|constrain|>json{"b": 1}<|call|>')
    assert [(call.name, call.arguments) for call in answer.tool_calls] == [("a", '{"b": 1}')]
    answer = parsed('<|channel|>commentary to=functions.a{"b": 1}<|call|>')
    assert [(call.name, call.arguments) for call in answer.tool_calls] == [("a", '{"b": 1}')]
    answer = parsed("<|channel|>commentary to=functions.a<|call|>")
    assert [(call.name, call.arguments) for call in answer.tool_calls] == [("a", "{}")]


@pytest.mark.parametrize(
    "text",
    [
        "<|channel|>commentary to=functions.now <|constrain|>json<|message|><|call|>",
        "<|channel|>commentary to=functions.now <|constrain|>json<|message|>\n<|call|>",
        "<|channel|>commentary to=functions.now <|constrain|>json<|call|>",
        "<|channel|>commentary to=functions.now<|end|>",
        "<|channel|>analysis to=browser.back<|message|><|call|>",
    ],
)
def test_a_call_without_arguments_has_empty_ones(text):
    (call,) = parsed(text).tool_calls
    assert json.loads(call.arguments) == {}


def test_only_calls_that_ended_have_empty_arguments():
    cut = parsed("<|channel|>commentary to=functions.now <|constrain|>json<|message|>")
    assert (cut.tool_calls[0].arguments, cut.finish_reason) == ("", "length")
    code = parsed("<|channel|>analysis to=python code<|message|><|call|>")
    assert code.tool_calls[0].arguments == ""
    assert parsed("<|channel|>final<|message|><|return|>").content == ""


def called(header: str, *functions: str) -> tuple[str | None, str | None]:
    parser = HarmonyParser(toy_tokenizer(), functions)
    tokens = tokens_of(f"{header}<|message|>{{}}<|call|>")
    deltas = [delta for token in tokens for delta in parser.push(token)]
    (message,) = ChatAnswer.collect([*deltas, *parser.finish()]).messages
    assert message.content == "{}"
    assert all(delta.recipient == message.recipient for delta in deltas)
    return message.recipient, message.content_type


@pytest.mark.parametrize(
    "header",
    [
        "<|channel|>commentary to=functions.weatherjson",
        "<|channel|>commentary to=functions.weather.json",
        "<|channel|>commentary to=functions.weather:json",
        "<|channel|>commentary to=weather <|constrain|>json",
        "<|channel|>commentary to=weatherjson",
        "<|channel|>commentary to=functions.functions.weather",
        "<|channel|>commentary to=tools.weather",
        "<|channel|>commentary to=functions.Weather",
        " to=functions.weatherjson<|channel|>commentary",
        "<|channel|>final <|constrain|>functions.weather",
        "<|channel|>final <|constrain|>json to=functions.weather",
        "<|channel|>commentary <|constrain|>to=functions.weather json",
        "<|channel|>final <|constrain|>weather",
    ],
)
def test_a_declared_function_in_spellings_that_are_not_its_own(header):
    recipient, content_type = called(header, "weather", "we", "weather_in_rome")
    assert recipient == "functions.weather"
    assert content_type in ("json", None)


def test_names_that_were_not_declared_stay():
    assert called("<|channel|>commentary to=functions.weatherjson")[0] == "functions.weatherjson"
    assert called("<|channel|>commentary to=functions.other", "o")[0] == "functions.other"
    assert called("<|channel|>commentary to=functions.ajson", "a", "ajson")[0] == "functions.ajson"
    assert called("<|channel|>analysis to=python code", "py")[0] == "python"
    assert called("<|channel|>analysis to=browser.search", "search")[0] == "browser.search"
    assert called("<|channel|>commentary to=functions.A", "a", "a-", "a_")[0] == "functions.a"
    assert called("<|channel|>commentary to=functions.A-", "a-", "a_")[0] == "functions.A-"


def test_a_function_where_the_type_should_be():
    text = '<|channel|>final <|constrain|>functions.weather<|message|>{"city":"Rome"}<|call|>'
    answer = parsed(text)
    assert [(call.name, call.arguments) for call in answer.tool_calls] == [
        ("weather", '{"city":"Rome"}')
    ]
    assert parsed("<|channel|>final <|constrain|>json<|message|>{}<|return|>").content == "{}"


def test_plain_text_is_shown_as_it_comes():
    parser = HarmonyParser(toy_tokenizer())
    shown = [
        "".join(delta.text for delta in parser.push(token))
        for token in tokens_of("Hello there, what is the weather?")
    ]
    assert shown[0] and all(shown)


def test_text_in_a_header_is_shown_before_the_end():
    parser = HarmonyParser(toy_tokenizer())
    tokens = tokens_of("<|start|>assistant<|channel|>final It is sunny in Rome, and warm, and dry")
    shown = "".join(delta.text for token in tokens for delta in parser.push(token))
    assert shown == "It is sunny in Rome, and warm, and dry"


def test_half_a_character_at_the_end_is_not_lost():
    parser = HarmonyParser(toy_tokenizer())
    half = json.loads(tokenizer_json())["model"]["vocab"]["ð"]
    for token in [*tokens_of("<|channel|>final<|message|>a"), half]:
        parser.push(token)
    parser.push(tokens_of("<|return|>")[0])
    assert parser.messages[0].content == f"a{REPLACEMENT}"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "length"),
        ("<|channel|>final<|message|>a", "length"),
        ("<|channel|>analysis<|message|>a<|end|>", "length"),
        ("<|channel|>final<|message|>a<|return|>", "stop"),
        ("<|channel|>final<|message|>a<|endoftext|>", "stop"),
        ("<|channel|>commentary to=functions.a<|message|>{}<|call|>", "tool_calls"),
        ("<|channel|>commentary to=functions.a<|message|>{}", "length"),
    ],
)
def test_why_it_ended(text, reason):
    assert parsed(text).finish_reason == reason


def test_the_reason_can_be_given():
    parser = HarmonyParser(toy_tokenizer())
    for token in tokens_of("<|channel|>final<|message|>a"):
        parser.push(token)
    assert ChatAnswer.collect([*parser.finish("stop")]).finish_reason == "stop"


def test_an_answer_as_text_and_in_a_notebook():
    answer = parsed(
        "<|channel|>analysis<|message|>a<b<|end|><|start|>assistant<|channel|>commentary "
        "to=functions.f <|constrain|>json<|message|>{}<|call|>"
    )
    assert str(answer) == "f({})"
    assert "a&lt;b" in answer._repr_html_() and "f({})" in answer._repr_html_()
    assert str(parsed("<|channel|>final<|message|>Hi<|return|>")) == "Hi"
    assert "cut off" in parsed("<|channel|>final<|message|>Hi")._repr_html_()


def test_a_tokenizer_without_the_markers_cannot_chat():
    document = json.loads(tokenizer_json())
    document["added_tokens"] = [
        token for token in document["added_tokens"] if token["content"] != "<|call|>"
    ]
    with pytest.raises(ModelError, match=r"has no <\|call\|>"):
        HarmonyParser(Tokenizer.from_json(json.dumps(document).encode()))


MARKS = [f"<|{name}|>" for name in ("start", "channel", "message", "end", "call", "constrain")]
WORDS = [
    "final",
    "analysis",
    "assistant",
    " to=functions.f ",
    "json",
    "zq1",
    " zq2 ",
    "{",
    "\n",
    "日",
]


@given(st.lists(st.sampled_from([*MARKS, "<|return|>", *WORDS]), max_size=14))
def test_whatever_comes_is_read_and_kept(pieces):
    answer = parsed("".join(pieces))
    kept = "".join(
        f"{m.role} {m.channel} {m.recipient} {m.content_type} {m.content}" for m in answer.messages
    )
    for word in ("zq1", "zq2", "日"):
        assert kept.count(word) == "".join(pieces).count(word)


def test_markers_are_those_of_the_tokenizer():
    assert Markers.of(toy_tokenizer()).return_ == toy_tokenizer().specials["<|return|>"]
