"""HTTP without any client of the protocol, as gateways such as LiteLLM speak it: with httpx."""

from __future__ import annotations

import json

import pytest

from tests.support.client_cases import (
    ANSWER,
    ANSWERED,
    AS_JSON,
    ASK,
    CALLED,
    CITY,
    REASON,
    RESULT,
    TOOLS,
    check_ended,
    check_result_was_read,
    tell_slowly,
    version,
)

httpx = pytest.importorskip("httpx")
pytestmark = pytest.mark.slow
CLIENT, VERSION = "HTTP (httpx)", version("httpx")
PROTOCOLS = ("chat",)
PATH = "/v1/chat/completions"


@pytest.fixture(scope="module")
def client(script_server):
    with httpx.Client(base_url=script_server.url, timeout=60) as client:
        yield client


def ask(client, **fields):
    response = client.post(PATH, json={"model": "script", "messages": ASK, **fields})
    response.raise_for_status()
    return response.json()["choices"][0]["message"]


def test_chat(client, script):
    script.tell(ANSWERED)
    assert ask(client)["content"] == ANSWER


def test_stream(client, script):
    script.tell(ANSWERED)
    body = {"model": "script", "messages": ASK, "stream": True}
    with client.stream("POST", PATH, json=body) as response:
        lines = [line.removeprefix("data: ") for line in response.iter_lines() if line]
    assert lines.pop() == "[DONE]"
    deltas = [json.loads(line)["choices"][0]["delta"] for line in lines]
    assert "".join(delta.get("content") or "" for delta in deltas) == ANSWER


def test_reasoning(client, script):
    script.tell(ANSWERED)
    message = ask(client)
    assert message["reasoning"] == message["reasoning_content"] == REASON


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content", None])
def test_tools(client, script, name):
    script.tell(CALLED, ANSWERED)
    first = ask(client, tools=TOOLS)
    thought = first.pop("reasoning")
    first.pop("reasoning_content")
    if name is not None:  # under the one name or the other, or it is remembered here
        first[name] = thought
    (call,) = first["tool_calls"]
    result = {"role": "tool", "tool_call_id": call["id"], "content": RESULT}
    assert ask(client, tools=TOOLS, messages=[*ASK, first, result])["content"] == ANSWER
    check_result_was_read(script)


def test_structured(client, script):
    script.tell(AS_JSON)
    schema = {"type": "json_schema", "json_schema": {"name": "city", "schema": CITY}}
    assert json.loads(ask(client, response_format=schema)["content"]) == {"city": "Paris"}


def test_errors(client):
    for body, status in ((b"{", 400), (b"[]", 400), (b"{}", 400), (b"\xff", 400)):
        response = client.post(PATH, content=body)
        assert response.status_code == status and response.json()["error"]["message"]
    assert client.get(PATH).status_code == 405 and client.post("/v2").status_code == 404


def test_abort(client, script):
    tell_slowly(script)
    body = {"model": "script", "messages": ASK, "stream": True}
    with client.stream("POST", PATH, json=body) as response:
        next(response.iter_bytes())
    check_ended(script)
