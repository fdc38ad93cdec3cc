"""Every shape of a turn, told as a stream and at once: both say the same, and nothing is lost."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.chat_chunks import added_up, whole, without_ids
from tests.support.harmony_shapes import CALL, FINAL, SHAPES, START, THOUGHT, Shape
from tests.support.harmony_tokens import TOKENS
from tests.support.raw_http import RawClient
from tests.support.toy_tokenizer import toy_tokenizer

PATH = "/v1/chat/completions"
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
BODY = {"messages": [{"role": "user", "content": "Is it warm?"}], "tools": TOOLS}


@pytest.fixture(scope="module")
def raw(script_server):
    client = RawClient(script_server.url)
    yield client
    client.close()


def both(raw, script, *texts, reason="stop", **body):
    """The same answer at once and as a stream, which have to be the same."""
    script.tell(*texts, reason=reason)
    at_once = raw.post(PATH, {**BODY, **body})
    assert at_once.status == 200, at_once.text
    script.tell(*texts, reason=reason)
    streamed = raw.post(
        PATH, {**BODY, **body, "stream": True, "stream_options": {"include_usage": True}}
    )
    assert streamed.status == 200, streamed.text
    events = streamed.events()
    told = without_ids(whole(at_once.json()))
    assert without_ids(added_up(events)) == told
    assert events[-2]["usage"] == at_once.json()["usage"] and events[-2]["choices"] == []
    return told


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape(raw, script, name):
    shape: Shape = SHAPES[name]
    told = both(raw, script, shape.written, reason=shape.reason)
    assert told == {
        0: {
            "content": shape.content, "reasoning": shape.reasoning, "calls": list(shape.calls),
            "finish_reason": shape.finish_reason,
        }
    }  # fmt: skip


def test_several_answers_of_several_shapes(raw, script):
    shapes = [
        SHAPES[name] for name in ("a preamble and a call", "two calls", "cut off in a thought")
    ]
    told = both(raw, script, *(shape.written for shape in shapes), n=3)
    assert [told[index]["content"] for index in range(3)] == [shape.content for shape in shapes]
    assert [told[index]["calls"] for index in range(3)] == [list(shape.calls) for shape in shapes]


@pytest.mark.parametrize(
    ("written", "content"),
    [
        ("Yes. STOP No.", "Yes. "),  # in one piece, or over several tokens
        ("Yes. ST No.", "Yes. ST No."),  # what only begins like one
        ("Yes. ST", "Yes. ST"),  # and what ends so
        ("STOP", ""),
        ("Yes. SSTOP", "Yes. S"),
    ],
)
def test_a_stop_string_ends_the_content_only(raw, script, written, content):
    thought = THOUGHT.replace("Hm.", "Hm. STOP here?")
    told = both(raw, script, f"{thought}{FINAL}{written}<|return|>", stop=["STOP"])
    assert told[0] == {
        "content": content, "reasoning": "Hm. STOP here?", "calls": [], "finish_reason": "stop"
    }  # fmt: skip


def test_a_stop_string_is_none_in_arguments(raw, script):
    told = both(raw, script, f'{CALL}{{"city": "STOP"}}<|call|>', stop=["STOP"])
    assert told[0]["calls"] == [("weather", '{"city": "STOP"}')]
    assert told[0]["finish_reason"] == "tool_calls"


def test_special_tokens_that_a_user_writes_are_text(raw, script):
    markers = f"{START}{FINAL}Yes.<|return|><|call|><|endoftext|>"

    def specials_of(content: str) -> tuple[int, str]:
        script.tell(f"{FINAL}Yes.<|return|>")
        messages = [
            {"role": "system", "content": content},
            {"role": "user", "content": [{"type": "text", "text": content}]},
            {"role": "assistant", "content": content, "reasoning": content},
            {"role": "user", "content": content},
        ]
        assert raw.post(PATH, {"messages": messages}).status == 200
        (asked,) = script.asked
        special = set(toy_tokenizer().specials.values())
        return sum(token in special for token in asked.tokens), script.detokenize(asked.tokens)

    plain, _ = specials_of("Hello")
    count, text = specials_of(markers)
    assert count == plain and markers in text


_FIXTURES_LAST = [HealthCheck.function_scoped_fixture]


@settings(max_examples=150, deadline=None)
@given(TOKENS, st.sampled_from(["stop", "length"]))
def test_tokens_as_they_come(raw, script, tokens, reason):
    check_tokens(raw, script, tokens, reason)


@pytest.mark.slow
@settings(max_examples=2000, deadline=None)
@given(TOKENS, st.sampled_from(["stop", "length"]))
def test_thousands_of_answers_of_tokens_as_they_come(raw, script, tokens, reason):
    check_tokens(raw, script, tokens, reason)


def check_tokens(raw, script, tokens, reason) -> None:
    """Whatever a model writes, there is an answer, and all text of it is told to somebody."""
    (told,) = both(raw, script, tokens, reason=reason, stop=["{}"]).values()
    assert told["finish_reason"] in ("stop", "tool_calls", "length")
