"""Stop strings end what is said, and only that."""

from __future__ import annotations

import pytest

from pyhades.llm.text.chat import ChatAnswer, ChatDelta
from pyhades.llm.text.chat_stops import until_stop
from pyhades.llm.text.harmony import HarmonyParser
from tests.support.toy_tokenizer import tokens_of, toy_tokenizer


class Source:
    """Deltas of a text, and whether its reader has gone."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = 0
        self.is_closed = False

    def deltas(self):
        parser = HarmonyParser(toy_tokenizer())
        try:
            for token in tokens_of(self.text):
                self.tokens += 1
                yield from parser.push(token)
            yield from parser.finish()
        finally:
            self.is_closed = True


def answered(text: str, *stop: str) -> ChatAnswer:
    return ChatAnswer.collect(until_stop(Source(text).deltas(), stop))


def final(text: str) -> str:
    return f"<|channel|>final<|message|>{text}<|return|>"


def test_an_answer_ends_before_the_stop_string():
    source = Source(final("The weather is sunny today in Paris"))
    answer = ChatAnswer.collect(until_stop(source.deltas(), ["sunny"]))
    assert (answer.content, answer.finish_reason) == ("The weather is ", "stop")
    assert source.is_closed and source.tokens < len(tokens_of(source.text))


@pytest.mark.parametrize("stop", [(), ("not there",), ("today!",)])
def test_an_answer_without_it_is_whole(stop):
    text = "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant" + final("Sunny today")
    answer = answered(text, *stop)
    assert (answer.reasoning, answer.content) == ("Hm.", "Sunny today")
    assert answer.finish_reason == "stop"


def test_reasoning_calls_and_headers_may_contain_it():
    text = (
        "<|channel|>analysis<|message|>final Hm.<|end|><|start|>assistant<|channel|>commentary "
        'to=functions.final <|constrain|>json<|message|>{"final": "Hm."}<|call|>'
    )
    answer = answered(text, "final", "Hm.", "analysis")
    assert answer.reasoning == "final Hm."
    assert answer.tool_calls[0].arguments == '{"final": "Hm."}'
    assert answer.finish_reason == "tool_calls"


def test_it_does_not_span_messages():
    text = (
        "<|channel|>commentary<|message|>one END<|end|><|start|>assistant<|channel|>final"
        "<|message|>OF two<|return|>"
    )
    answer = answered(text, "ENDOF")
    assert [message.content for message in answer.messages] == ["one END", "OF two"]


def test_an_answer_that_is_cut_off_is_whole():
    answer = answered("<|channel|>final<|message|>one EN", "END")
    assert (answer.content, answer.finish_reason) == ("one EN", "length")


def test_messages_are_announced_as_before():
    deltas = list(until_stop(Source(final("Sunny")).deltas(), ["x"]))
    assert deltas[0] == ChatDelta("final", None, "")
    assert [delta.finish_reason for delta in deltas].count("stop") == 1
