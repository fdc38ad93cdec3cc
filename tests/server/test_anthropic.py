"""Anthropic's messages: every shape of a turn without a server, and its own client with one."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyhades.server.errors import ApiError
from pyhades.server.protocol.anthropic import MessagesBody, ThinkingConfig, understand
from pyhades.server.protocol.anthropic_face import error_body
from tests.support.desks import desk
from tests.support.harmony_shapes import CALL, FINAL, SHAPES, THOUGHT, Shape
from tests.support.harmony_tokens import TOKENS
from tests.support.raw_http import RawClient

ASK = [{"role": "user", "content": "Is it warm?"}]
TOOLS = [{"name": "weather", "input_schema": {"type": "object",
          "properties": {"city": {"type": "string"}}}}]  # fmt: skip
SHOWN = ThinkingConfig("adaptive")
CALLS = f'{THOUGHT}{CALL}{{"city": "Paris"}}<|call|>'


def told(script, written, reason="stop", **body):
    """The message that events add up to, which is the one that comes at once."""
    fields = {"messages": ASK, "tools": TOOLS, **body}
    calls = [understand(MessagesBody(**fields), desk()) for _ in range(2)]
    script.tell(written, reason=reason)
    pieces = list(calls[0].turn.prepare(script, ""))
    face = calls[0].face
    events = [*face.begin(1), *itertools.chain(*map(face.push, pieces)), *face.finish()]
    calls[1].face.begin(1)
    for piece in pieces:
        calls[1].face.push(piece)
    message = added_up(events)
    assert message == calls[1].face.whole()
    return message


def added_up(events):
    """As the client does it; AssertionError where it would stumble."""
    assert all(event.name == event.data["type"] for event in events)
    first, *middle, end, last = [event.data for event in events if event.name != "ping"]
    assert first["type"] == "message_start" and last == {"type": "message_stop"}
    message = {**first["message"], **end["delta"], "usage": end["usage"]}
    assert message["content"] == [] and end["type"] == "message_delta"
    blocks, is_open, spelled = message["content"], False, ""
    for event in middle:
        kind = event["type"].removeprefix("content_block_")
        assert event["index"] == len(blocks) - is_open and is_open == (kind != "start")
        if kind == "start":
            blocks.append(event["content_block"])
            is_open, spelled = True, ""
        elif kind == "delta":
            (name,) = event["delta"].keys() - {"type"}
            if name == "partial_json":
                spelled += event["delta"][name]
            else:
                blocks[-1][name] += event["delta"][name]
        else:
            assert kind == "stop"
            is_open = False
            if spelled:
                blocks[-1]["input"] = json.loads(spelled)
    assert not is_open
    return message


def blocks_of(message, kind):
    return [block for block in message["content"] if block["type"] == kind]


def object_of(arguments):
    try:
        return json.loads(arguments)
    except ValueError:
        return {"raw": arguments}


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape(script, name):
    shape: Shape = SHAPES[name]
    message = told(script, shape.written, shape.reason, thinking=SHOWN)
    thinking = [block["thinking"] for block in blocks_of(message, "thinking")]
    assert "\n\n".join(thinking) == shape.reasoning
    assert "\n\n".join(block["text"] for block in blocks_of(message, "text")) == shape.content
    uses = [(block["name"], block["input"]) for block in blocks_of(message, "tool_use")]
    assert uses == [(name, object_of(arguments)) for name, arguments in shape.calls]
    reasons = {"stop": "end_turn", "tool_calls": "tool_use", "length": "max_tokens"}
    assert message["stop_reason"] == reasons[shape.finish_reason]
    hidden = told(script, shape.written, shape.reason)
    assert blocks_of(hidden, "thinking") == []
    assert blocks_of(hidden, "text") == blocks_of(message, "text")


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(TOKENS, st.sampled_from(["stop", "length"]), st.sampled_from([None, SHOWN]))
def test_tokens_as_they_come(script, tokens, reason, thinking):
    assert told(script, tokens, reason, thinking=thinking, stop_sequences=["{}"])["stop_reason"]


@pytest.mark.parametrize("display", [None, "omitted"])
def test_thinking_comes_back_by_its_signature(script, display):
    message = told(script, CALLS, thinking=ThinkingConfig("enabled", 1024, display))
    (block,) = blocks_of(message, "thinking")
    assert block["thinking"] == ("" if display else "Hm.")
    content = [{**block, "thinking": ""}, *blocks_of(message, "tool_use")]
    history = [*ASK, {"role": "assistant", "content": content}]
    _, answer = understand(MessagesBody(messages=history), desk()).turn.messages
    assert answer["reasoning"] == "Hm." and answer["tool_calls"][0]["function"]["name"] == "weather"


def test_thinking_that_is_hidden_is_remembered(script):
    at = desk()
    face = understand(MessagesBody(messages=ASK, tools=TOOLS), at).face
    script.tell(CALLS)
    for piece in understand(MessagesBody(messages=ASK, tools=TOOLS), at).turn.prepare(script, ""):
        face.push(piece)
    history = [*ASK, {"role": "assistant", "content": face.whole()["content"]}]
    assert understand(MessagesBody(messages=history), at).turn.messages[1]["reasoning"] == "Hm."


@pytest.mark.parametrize(
    ("stops", "text", "found"),
    [(["zz", "t i"], "I", "t i"), (["zz"], "It is.", None), (["is.", "s"], "It i", "s")],
)
def test_the_stop_string_is_named(script, stops, text, found):
    message = told(script, f"{THOUGHT}{FINAL}It is.<|return|>", stop_sequences=stops)
    assert blocks_of(message, "text")[0]["text"] == text
    assert message["stop_sequence"] == found
    assert message["stop_reason"] == ("stop_sequence" if found else "end_turn")


def test_tools_and_results():
    use = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Paris"}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1",
              "content": [{"type": "text", "text": "21"}]}  # fmt: skip
    history = [
        *ASK,
        {"role": "assistant", "content": [{"type": "text", "text": "Let me look."}, use]},
        {"role": "user", "content": [result, {"type": "text", "text": "Sure?"}]},
    ]
    body = MessagesBody(messages=history, system=[{"type": "text", "text": "Hi!"}])
    system, asked, answer, tool, sure = understand(body, desk()).turn.messages
    assert system == {"role": "system", "content": "Hi!"} and asked == ASK[0]
    assert answer["content"] == "Let me look." and answer["tool_calls"][0]["id"] == "toolu_1"
    assert tool == {"role": "tool", "tool_call_id": "toolu_1", "content": "21"}
    assert sure == {"role": "user", "content": "Sure?"}


@pytest.mark.parametrize(
    ("choice", "understood"),
    [
        ({"type": "any"}, "required"),
        ({"type": "auto"}, "auto"),
        ({"type": "none"}, "none"),
        ({"type": "tool", "name": "weather"}, {"type": "function", "name": "weather"}),
    ],
)
def test_choices_among_tools(script, choice, understood):
    server_tool = {"type": "web_search_20250305", "name": "web_search"}
    body = MessagesBody(messages=ASK, tools=[server_tool, *TOOLS], tool_choice=choice)
    turn = understand(body, desk()).turn
    assert turn.options["tool_choice"] == understood and len(turn.options["tools"]) == 1
    assert turn.prepare(script, "").prompt_tokens > 0


def test_an_answer_that_is_begun_goes_on(script):
    history = [*ASK, {"role": "assistant", "content": "It"}]
    turn = understand(MessagesBody(messages=history), desk()).turn
    text = script.detokenize(list(turn.prepare(script, "").prompt_token_ids))
    assert text.endswith("<|channel|>final<|message|>It")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": [{"role": "user", "content": [{"type": "image"}]}]},
         "messages[0].content[0]"),
        ({"messages": [{"role": "robot", "content": ""}]}, "messages[0]"),
        ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "x"}]}]},
         "messages[0].content[0].call_id"),
        ({"messages": ASK, "tool_choice": {"type": "maybe"}}, "tool_choice"),
        ({"messages": ASK, "tool_choice": {"type": ["auto"]}}, "tool_choice"),
        ({"messages": ASK, "thinking": ThinkingConfig("maybe")}, "thinking"),
        ({"messages": ASK, "container": "x"}, "container"),
        ({"messages": ASK, "system": [{"type": "image"}]}, "system"),
    ],
)  # fmt: skip
def test_what_is_refused(body, param):
    with pytest.raises(ApiError) as wrong:
        understand(MessagesBody(**body), desk())
    assert wrong.value.param == param and wrong.value.status == 400


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, "invalid_request_error"), (401, "authentication_error"), (404, "not_found_error"),
     (413, "request_too_large"), (429, "rate_limit_error"), (500, "api_error"),
     (503, "overloaded_error"), (501, "api_error")],
)  # fmt: skip
def test_errors_have_the_shape_of_this_protocol(status, kind):
    error = {"type": kind, "message": "no"}
    assert error_body(ApiError(status, "no")) == {"type": "error", "error": error}


def test_places(script_server, script):
    raw = RawClient(script_server.url)
    script.tell(f"{FINAL}Yes.<|return|>")
    counted = raw.post("/v1/messages/count_tokens", {"messages": ASK})
    message = raw.post("/v1/messages", {"messages": ASK, "max_tokens": 9}).json()
    assert counted.json() == {"input_tokens": message["usage"]["input_tokens"]}
    for path in ("/v1/messages", "/v1/messages/count_tokens"):
        wrong = raw.post(path, {"messages": ASK, "model": "claude"})
        assert wrong.status == 404 and wrong.json()["error"]["type"] == "not_found_error"
    raw.close()


@pytest.mark.slow
def test_its_own_client(script_server, script):
    anthropic = pytest.importorskip("anthropic")
    with anthropic.Anthropic(base_url=script_server.url, api_key="none", max_retries=0) as client:
        fields = {"model": "script", "max_tokens": 100, "messages": ASK, "tools": TOOLS}
        script.tell(CALLS)
        with client.messages.stream(**fields, thinking={"type": "adaptive"}) as stream:
            message = stream.get_final_message()
        assert [block.type for block in message.content] == ["thinking", "tool_use"]
        assert message.content[1].input == {"city": "Paris"} and message.stop_reason == "tool_use"
        result = {"type": "tool_result", "tool_use_id": message.content[1].id, "content": "21"}
        fields["messages"] = [*ASK, {"role": "assistant", "content": message.content},
                              {"role": "user", "content": [result]}]  # fmt: skip
        script.tell(f"{FINAL}It is.<|return|>")
        answer = client.messages.create(**fields)
        assert answer.content[0].text == "It is." and answer.stop_reason == "end_turn"
        assert "Hm." in script.detokenize(script.asked[0].tokens)
        counted = client.messages.count_tokens(model="script", messages=fields["messages"])
        assert counted.input_tokens > 0
        with pytest.raises(anthropic.NotFoundError):
            client.messages.create(**{**fields, "model": "claude"})
        script.tell(f"{FINAL}It", error=RuntimeError("the disk is on fire"))
        with (
            pytest.raises(anthropic.APIStatusError),
            client.messages.stream(**fields) as stream,
        ):
            stream.get_final_message()
