"""Every shape of a turn as a response: the order of events, without a server."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyhades.server.errors import ApiError
from pyhades.server.protocol.responses import ResponsesBody, understand
from tests.support.desks import desk
from tests.support.harmony_shapes import SHAPES, Shape
from tests.support.harmony_tokens import TOKENS
from tests.support.response_events import added_up

TOOLS = [{"type": "function", "name": "weather", "parameters": {"type": "object"}}]


def told(script, written, reason="stop", *, asked_at=None, **body):
    """The events of an answer, and the answer as a whole."""
    parts = (asked_at or desk(), desk())
    calls = [understand(ResponsesBody(input="Hi", tools=TOOLS, **body), each) for each in parts]
    script.tell(written, reason=reason)
    pieces = list(calls[0].turn.prepare(script, ""))
    events = _streamed(calls[0].face, pieces)
    calls[1].face.begin(1)
    for piece in pieces:
        calls[1].face.push(piece)
    assert calls[1].face.whole() == events[-1]["response"]
    return events


def _streamed(face, pieces):
    lists = [face.begin(1), *map(face.push, pieces), face.finish()]
    events = list(itertools.chain.from_iterable(lists))
    assert all(event.name == event.data["type"] for event in events)
    return [event.data for event in events]


def texts(output, kind):
    return [part["text"] for item in output if item["type"] == kind for part in item["content"]]


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape(script, name):
    shape: Shape = SHAPES[name]
    response = added_up(told(script, shape.written, shape.reason))
    output = response["output"]
    assert "\n\n".join(texts(output, "reasoning")) == shape.reasoning
    assert "\n\n".join(texts(output, "message")) == shape.content
    calls = [item for item in output if item["type"] == "function_call"]
    assert [(call["name"], call["arguments"]) for call in calls] == list(shape.calls)
    is_cut = shape.finish_reason == "length"
    assert response["status"] == ("incomplete" if is_cut else "completed")
    assert response["incomplete_details"] == ({"reason": "max_output_tokens"} if is_cut else None)
    usage = response["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert usage["output_tokens_details"]["reasoning_tokens"] >= len(shape.reasoning) // 20
    assert all(item["summary"] == [] for item in output if item["type"] == "reasoning")


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(TOKENS, st.sampled_from(["stop", "length"]))
def test_tokens_as_they_come(script, tokens, reason):
    assert added_up(told(script, tokens, reason))["status"] in ("completed", "incomplete")


def test_a_preamble_is_told_from_an_answer(script):
    written = SHAPES["two preambles and an answer"].written
    messages = added_up(told(script, written))["output"]
    assert [item["phase"] for item in messages] == ["commentary", "commentary", "final_answer"]


def test_what_is_cut_off_is_not_complete(script):
    shape = SHAPES["cut off in arguments"]
    (item,) = added_up(told(script, shape.written, "length"))["output"]
    assert item["status"] == "incomplete"


def test_an_answer_that_says_nothing_is_a_message(script):
    output = added_up(told(script, "<|return|>"))["output"]
    assert [item["type"] for item in output] == ["message"] and texts(output, "message") == [""]
    cut = added_up(told(script, "<|channel|>", "length"))["output"]
    assert cut == []


def test_an_error_in_the_middle_is_the_only_end(script):
    at = desk()
    call = understand(ResponsesBody(input="Hi", tools=TOOLS), at)
    script.tell(SHAPES["reasoning and an answer"].written)
    pieces = list(call.turn.prepare(script, ""))
    events = [*call.face.begin(1), *(event for piece in pieces[:-3] for event in
                                     call.face.push(piece))]  # fmt: skip
    events += call.face.fail(ApiError(500, "the disk is on fire", "internal_error"))
    response = added_up([event.data for event in events])
    assert response["status"] == "failed"
    assert response["error"] == {"code": "server_error", "message": "the disk is on fire"}
    assert response["output"][-1]["status"] == "incomplete"
    with pytest.raises(ApiError, match="failed"):
        at.stored.history("alice", response["id"])


def test_logprobs_are_those_of_what_is_said(script):
    written = SHAPES["reasoning and an answer"].written
    events = told(script, written, include=["message.output_text.logprobs"], top_logprobs=1)
    (part,) = added_up(events)["output"][-1]["content"]
    spelled = bytes(b for entry in part["logprobs"] for b in entry["bytes"]).decode()
    assert spelled == "Yes." and all(len(each["top_logprobs"]) == 1 for each in part["logprobs"])
    plain = added_up(told(script, written))["output"][-1]
    assert plain["content"][0]["logprobs"] == []


def test_the_response_repeats_what_was_understood(script):
    tools = [{"type": "web_search"}, *TOOLS]
    call = understand(
        ResponsesBody(input="Hi", tools=tools, metadata={"a": "b"}, instructions="Be brief."),
        desk(),
    )
    response = call.face.begin(1)[0].data["response"]
    assert response["tools"] == TOOLS and response["metadata"] == {"a": "b"}
    assert response["instructions"] == "Be brief." and response["tool_choice"] == "auto"
    assert response["usage"] is None and response["status"] == "in_progress"
