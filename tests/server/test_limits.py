"""How much may be asked for, how often, and what of it may be null."""

from __future__ import annotations

import json
import socket
from urllib.parse import urlsplit

import msgspec
import pytest

from pyhades.server import Settings
from pyhades.server.admission import LONGEST_WAIT, Admission
from pyhades.server.errors import ApiError
from pyhades.server.http.places import DetokenizeBody, TokenizeBody
from pyhades.server.protocol import anthropic, chat, completions, ollama, responses
from tests.support.harmony_shapes import FINAL
from tests.support.raw_http import RawClient
from tests.support.served import served, until

CHAT, TEXTS = "/v1/chat/completions", "/v1/completions"
BODY = {"messages": [{"role": "user", "content": "Hi"}]}
YES = f"{FINAL}Yes.<|return|>"


@pytest.fixture(scope="module")
def small_server(script):
    limits = Settings(
        max_body_bytes=4000, max_choices=2, max_stops=2, max_tools=2, max_schema_bytes=200,
        body_seconds=0.2,
    )  # fmt: skip
    with served(script, limits) as server:
        yield server


@pytest.fixture
def small(small_server, script):
    script.tell(YES)
    client = RawClient(small_server.url)
    yield client
    client.close()


@pytest.fixture
def raw(script_server, script):
    script.tell(YES)
    client = RawClient(script_server.url)
    yield client
    client.close()


def tool(name: str = "f", **parameters):
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


def test_a_body_that_is_too_large(small):
    reply = small.post(CHAT, {**BODY, "user": "x" * 4000})
    assert reply.status == 413 and reply.error()["code"] == "request_too_large"
    chunks = iter([json.dumps(BODY).encode(), b" " * 3000, b" " * 3000])
    reply = small.ask("POST", CHAT, chunks, {})
    assert reply.status == 413
    assert small.post(CHAT, BODY).status == 200  # the server is as well as before


def test_a_body_that_does_not_come(small_server):
    address = urlsplit(small_server.url)
    with socket.create_connection((address.hostname, address.port), timeout=20) as line:
        line.sendall(f"POST {CHAT} HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n\r\n{{".encode())
        assert line.recv(4096).startswith(b"HTTP/1.1 408 ")
    until(lambda: small_server.service.admission.requests == 0)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 3}, "n"),
        ({"stop": ["a", "b", "c"]}, "stop"),
        ({"tools": [tool("a"), tool("b"), tool("c")]}, "tools"),
        ({"tools": [tool("a", description="x" * 200)]}, "schema"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {
                "name": "x", "schema": {"description": "x" * 200}}}},
            "schema",
        ),
    ],
)  # fmt: skip
def test_too_much_of_something(small, fields, param):
    reply = small.post(CHAT, {**BODY, **fields})
    assert reply.status == 400 and reply.error()["param"] == param


def test_too_many_answers_of_several_prompts(small):
    assert small.post(TEXTS, {"prompt": ["a", "b"]}).status == 200
    for body in ({"prompt": ["a", "b", "c"]}, {"prompt": ["a", "b"], "n": 2}):
        reply = small.post(TEXTS, body)
        assert reply.status == 400 and reply.error()["param"] == "n"


@pytest.mark.parametrize("depth", [100, 1000, 100_000])
@pytest.mark.parametrize("inside", ["messages", "tools", "response_format", "metadata"])
def test_nesting(raw, depth, inside):
    deep = b'{"properties":{"a":' * depth + b"{}" + b"}}" * depth
    within = {
        "messages": b'"messages":[{"role":"user","content":%s}]',
        "tools": b'"tools":[{"type":"function","function":{"name":"f","parameters":%s}}]',
        "response_format": b'"response_format":{"type":"json_schema",'
        b'"json_schema":{"name":"x","schema":%s}}',
        "metadata": b'"metadata":%s',
    }[inside]
    others = b"" if inside == "messages" else b',"messages":[{"role":"user","content":"Hi"}]'
    reply = raw.post(CHAT, b"{" + within % deep + others + b"}")
    assert reply.status in (200, 400), reply.text
    assert reply.status == 400 or depth < 100_000
    assert raw.post(CHAT, BODY).status == 200


PLAIN = {
    CHAT: (chat.ChatBody, BODY),
    TEXTS: (completions.CompletionsBody, {"prompt": "Hi"}),
    "/v1/responses": (responses.ResponsesBody, {"input": "Hi"}),
    "/v1/messages": (anthropic.MessagesBody, {**BODY, "max_tokens": 9}),
    "/api/chat": (ollama.ChatBody, {**BODY, "model": "script"}),
    "/api/generate": (ollama.GenerateBody, {"prompt": "Hi", "model": "script"}),
    "/tokenize": (TokenizeBody, {"prompt": "Hi"}),
    "/detokenize": (DetokenizeBody, {"tokens": [1]}),
}


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (path, field.name)
        for path, (body, plain) in PLAIN.items()
        for field in msgspec.structs.fields(body)
        if not field.required and field.name not in plain
    ],
)
def test_null_is_the_default(raw, path, name):
    reply = raw.post(path, {**PLAIN[path][1], name: None})
    assert reply.status == 200, reply.text


def test_null_further_inside(raw):
    function = {"name": "f", "description": None, "parameters": None, "strict": None}
    schema = {"name": "x", "description": None, "strict": None, "schema": {"type": "object"}}
    message = {"content": "Hi", "name": None, "tool_calls": None, "tool_call_id": None,
               "reasoning": None, "refusal": None, "audio": None, "annotations": []}  # fmt: skip
    for fields in (
        {"tools": [{"type": "function", "function": function}]},
        {"tools": [], "tool_choice": "auto"},
        {"response_format": {"type": "json_schema", "json_schema": schema}},
        {"response_format": {"type": "text"}},
        {"stream_options": {"include_usage": None, "include_obfuscation": None}},
        {
            "messages": [
                message | {"role": role} for role in ("system", "user", "assistant", "user")
            ]
        },
        {"logit_bias": {}, "metadata": {}, "stop": []},
    ):
        reply = raw.post(CHAT, {**BODY, **fields})
        assert reply.status == 200, reply.text


def test_fields_that_nobody_reads_are_named(raw):
    assert raw.post(CHAT, BODY).headers["x-pyhades-ignored"] is None
    for stream in (False, True):
        reply = raw.post(CHAT, {**BODY, "best": 1, "日\r\nx: y": 2, "stream": stream})
        assert reply.status == 200 and reply.headers["x-pyhades-ignored"] == "best,???x??y"


def test_requests_beyond_the_most_are_told_to_come_back(script):
    script.tell(FINAL + "word " * 2000 + "<|return|>", seconds=0.001)
    with served(script, Settings(max_requests=1)) as server:
        first, second = RawClient(server.url), RawClient(server.url)
        assert first.begin(CHAT, {**BODY, "stream": True}).status == 200
        reply = second.post(CHAT, BODY)
        assert reply.status == 429 and reply.error()["code"] == "rate_limit_exceeded"
        assert 1 <= int(reply.headers["retry-after"]) <= LONGEST_WAIT
        assert second.get("/v1/models").status == 200  # which is no work
        first.close()
        until(lambda: server.service.admission.requests == 0)
        script.tell(YES)
        assert second.post(CHAT, BODY).status == 200


def test_prompts_are_queued_until_their_first_token(script, monkeypatch):
    monkeypatch.setattr(script, "reading_speed", lambda: 0.01)
    script.tell(FINAL + "word " * 200 + "<|return|>", seconds=0.3)
    with served(script) as server:
        first, second = RawClient(server.url), RawClient(server.url)
        assert first.begin(CHAT, {**BODY, "stream": True}).status == 200
        assert server.service.admission.queued_tokens > 0
        reply = second.post(CHAT, BODY)
        assert reply.status == 429 and int(reply.headers["retry-after"]) == LONGEST_WAIT
        until(lambda: server.service.admission.queued_tokens == 0)
        assert second.begin(CHAT, {**BODY, "stream": True}).status == 200
        first.close()
        second.close()
        until(lambda: server.service.admission.requests == 0)


def test_prompts_that_would_wait_for_too_long():
    admission = Admission(Settings(max_queued_seconds=10.0), lambda: 100.0)
    first, second, third = (admission.enter("") for _ in range(3))
    first.queue(50_000)  # nothing waits: however long it is
    with pytest.raises(ApiError) as refused:
        second.queue(1)
    assert refused.value.status == 429 and refused.value.retry_after == LONGEST_WAIT
    first.was_read()
    second.queue(900)
    with pytest.raises(ApiError) as refused:
        third.queue(200)
    assert refused.value.retry_after == 9 and admission.refused == 2
    for ticket in (first, second, third, third):
        ticket.leave()
    assert admission.queued_tokens == admission.requests == 0


def test_a_server_that_is_not_ready_says_so():
    with served(None) as server:
        raw = RawClient(server.url)
        assert raw.get("/health").json() == {"status": "loading"}
        for state in ("loading", "stopping"):
            for ask in (
                lambda: raw.post(CHAT, BODY),
                lambda: raw.post("/tokenize", {"prompt": "Hi"}),
                lambda: raw.get("/v1/models"),
                lambda: raw.get("/v1/models/toy"),
            ):
                reply = ask()
                assert reply.status == 503 and reply.error()["code"] == state
                assert int(reply.headers["retry-after"]) > 0
            assert raw.get("/health").status == 503 and raw.get("/metrics").status == 200
            server.service.stop()
