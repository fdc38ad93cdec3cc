"""Requests in which something is not what it should be: each is an error of its client."""

from __future__ import annotations

import copy
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyhades.errors import PyhadesError
from pyhades.server.app import ENDPOINTS
from pyhades.server.errors import ApiError
from pyhades.server.http.bodies import understood
from pyhades.server.http.limits import check_limits
from pyhades.server.settings import Settings
from tests.support.desks import desk

FUNCTION = {"name": "weather", "description": "Tells it.", "parameters": {"type": "object"}}
CHAT = {
    "model": "script", "temperature": 0.5, "stop": ["x"], "seed": 1, "reasoning_effort": "low",
    "messages": [
        {"role": "system", "content": "Hi!"},
        {"role": "user", "content": [{"type": "text", "text": "Is it warm?"}]},
        {"role": "assistant", "content": "Let me look.", "reasoning": "Hm.", "tool_calls": [
            {"id": "call_1", "type": "function",
             "function": {"name": "weather", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "21"},
    ],
    "tools": [{"type": "function", "function": FUNCTION}],
    "tool_choice": {"type": "function", "function": {"name": "weather"}},
    "response_format": {"type": "json_object"}, "stream_options": {"include_usage": True},
    "logprobs": True, "top_logprobs": 1, "logit_bias": {"1": 1},
}  # fmt: skip
RESPONSES = {
    "model": "script", "instructions": "Hi!", "metadata": {"a": "b"}, "include": [],
    "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "Is it warm?"}]},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}],
         "content": [{"type": "reasoning_text", "text": "Hm."}], "encrypted_content": "ph1.x.x"},
        {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": "21"},
    ],
    "tools": [{"type": "function", **FUNCTION}, {"type": "web_search"}],
    "tool_choice": {"type": "allowed_tools", "mode": "auto",
                    "tools": [{"type": "function", "name": "weather"}]},
    "reasoning": {"effort": "low"}, "text": {"format": {"type": "text"}},
}  # fmt: skip
MESSAGES = {
    "model": "script", "max_tokens": 9, "system": [{"type": "text", "text": "Hi!"}],
    "messages": [
        {"role": "user", "content": "Is it warm?"},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "Hm.", "signature": "ph1.x.x"},
            {"type": "text", "text": "Let me look."},
            {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "toolu_1", "content": "21"}]},
    ],
    "tools": [{"name": "weather", "input_schema": {"type": "object"}}],
    "tool_choice": {"type": "tool", "name": "weather"}, "stop_sequences": ["x"],
    "thinking": {"type": "enabled", "budget_tokens": 9}, "output_config": {"effort": "low"},
}  # fmt: skip
OLLAMA = {
    "model": "script", "think": True, "format": "json", "options": {"seed": 1, "stop": ["x"]},
    "messages": [
        {"role": "user", "content": "Is it warm?"},
        {"role": "assistant", "content": "", "thinking": "Hm.", "tool_calls": [
            {"function": {"name": "weather", "arguments": {}}}]},
        {"role": "tool", "tool_name": "weather", "content": "21"},
    ],
    "tools": [{"type": "function", "function": FUNCTION}],
}  # fmt: skip
BODIES = {
    "/v1/chat/completions": CHAT,
    "/v1/completions": {"model": "script", "prompt": ["Hi", [1, 2]], "stop": ["x"], "echo": True},
    "/v1/responses": RESPONSES,
    "/v1/messages": MESSAGES,
    "/api/chat": OLLAMA,
    "/api/generate": {"model": "script", "prompt": "Hi", "system": "Hi!", "options": {"top_k": 1}},
}
_WORDS = ("function", "text", "tool", "user", "input_image", "\ud800")
_LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**64), 2**64), st.floats(allow_nan=False),
    st.text(max_size=5), st.sampled_from(_WORDS),
)  # fmt: skip
_ANYTHING = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=4,
)


def places_in(value, path=()):
    """Every place of a value, by the keys that lead to it."""
    yield path
    if isinstance(value, list):
        value = dict(enumerate(value))
    for key, inner in value.items() if isinstance(value, dict) else ():
        yield from places_in(inner, (*path, key))


@st.composite
def changed(draw, path):
    """A request in which one to three things are others."""
    body = copy.deepcopy(BODIES[path])
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from([place for place in places_in(body) if place]))
        inside = body
        for key in way:
            inside = inside[key]
        inside[last] = draw(_ANYTHING)
    return body


def check(script, endpoint, body) -> None:
    """It is understood, or refused with a reason."""
    try:
        read, _ = understood(json.dumps(body).encode(), endpoint.body)
        call = endpoint.understand(read, desk())
        check_limits(call.turn, Settings())
        call.turn.prepare(script, "")
    except ApiError as error:
        assert error.status < 500 and error.message
    except PyhadesError:
        pass


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.path)
def test_requests_as_they_should_be(script, endpoint):
    read, ignored = understood(json.dumps(BODIES[endpoint.path]).encode(), endpoint.body)
    assert ignored == []
    if endpoint.path == "/v1/completions":
        read.prompt = "Hi"
    assert endpoint.understand(read, desk()).turn.prepare(script, "").prompt_tokens > 0


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.path)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_requests_in_which_something_is_another(script, endpoint, data):
    check(script, endpoint, data.draw(changed(endpoint.path)))


@pytest.mark.slow
@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.path)
@settings(max_examples=2000, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_ten_thousand_requests_in_which_something_is_another(script, endpoint, data):
    check(script, endpoint, data.draw(changed(endpoint.path)))
