"""Who may ask: keys, what they keep apart, and web pages of others."""

from __future__ import annotations

import logging

import pytest

import pyhades
from pyhades.errors import ArgumentError
from pyhades.server import Settings
from pyhades.server.settings import api_key, read_api_keys
from tests.support.harmony_shapes import FINAL
from tests.support.raw_http import RawClient
from tests.support.served import served, until

CHAT = "/v1/chat/completions"
BODY = {"messages": [{"role": "user", "content": "Hi"}]}
ALICE, BOB = "sk-alice-0123456789", "sk-bob-0123456789"
SECRET = b"secret"
KEYS = (api_key(ALICE, "alice", SECRET), api_key(BOB, "bob", SECRET))
PAGE = "https://chat.example"


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


@pytest.fixture(scope="module")
def locked_server(script):
    settings = Settings(api_keys=KEYS, max_requests_per_key=1, allow_origins=[PAGE])
    with served(script, settings) as server:
        yield server


@pytest.fixture
def raw(locked_server, script):
    script.tell(f"{FINAL}Yes.<|return|>")
    client = RawClient(locked_server.url)
    yield client
    client.close()


@pytest.mark.parametrize(
    "headers",
    [
        bearer(ALICE), bearer(BOB), {"authorization": f"bearer  {ALICE} "}, {"x_api_key": ALICE},
    ],
)  # fmt: skip
def test_whoever_brings_a_key_is_answered(raw, headers):
    assert raw.post(CHAT, BODY, **headers).status == 200
    assert raw.get("/v1/models", **headers).status == 200


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "no_api_key"),
        ({"authorization": f"Basic {ALICE}"}, "no_api_key"),
        ({"authorization": "Bearer"}, "no_api_key"),
        (bearer(ALICE[:-1]), "invalid_api_key"),
        (bearer(ALICE + "x"), "invalid_api_key"),
        (bearer("\xe9\xff"), "invalid_api_key"),
        ({"x_api_key": "alice"}, "invalid_api_key"),
    ],
)
def test_whoever_brings_none_is_not(raw, headers, code):
    for path in (CHAT, "/v1/completions", "/tokenize", "/nowhere"):
        reply = raw.post(path, BODY, **headers)
        assert reply.status == 401 and reply.error()["code"] == code
        assert reply.headers["www-authenticate"] == "Bearer"
    for path in ("/v1/models", "/metrics", "/openapi.json"):
        assert raw.get(path, **headers).status == 401
    assert raw.get("/health", **headers).status == 200


def test_the_engine_works_for_keys(raw, script):
    for key in (ALICE, BOB, ALICE):
        assert raw.post(CHAT, BODY, **bearer(key)).status == 200
    clients = [asked.client for asked in script.asked]
    assert clients == [KEYS[0].client, KEYS[1].client, KEYS[0].client]
    assert not any(key in client for key in (ALICE, BOB) for client in clients)


def test_a_key_has_as_many_requests_as_it_may(raw, locked_server, script):
    script.tell(FINAL + "word " * 2000 + "<|return|>", seconds=0.001)
    first = RawClient(locked_server.url, **bearer(ALICE))
    assert first.begin(CHAT, {**BODY, "stream": True}).status == 200
    reply = raw.post(CHAT, BODY, **bearer(ALICE))
    assert reply.status == 429 and int(reply.headers["retry-after"]) >= 1
    script.tell(f"{FINAL}Yes.<|return|>")
    assert raw.post(CHAT, BODY, **bearer(BOB)).status == 200
    first.close()
    until(lambda: locked_server.service.admission.requests == 0)
    assert raw.post(CHAT, BODY, **bearer(ALICE)).status == 200


def test_what_was_read_for_one_key_is_not_found_by_another():
    body = {"prompt": "import numpy as np; " * 30, "max_tokens": 1}

    def cached(key: str) -> int:
        usage = raw.post("/v1/completions", body, **bearer(key)).json()["usage"]
        return usage["prompt_tokens_details"]["cached_tokens"]

    with pyhades.LLM(threads=1) as llm, served(llm, Settings(api_keys=KEYS)) as server:
        raw = RawClient(server.url)
        assert cached(ALICE) == 0 and cached(ALICE) > 0 and cached(BOB) == 0 and cached(BOB) > 0
        raw.close()


def test_the_file_of_keys(tmp_path):
    path = tmp_path / "keys"
    path.write_text(f"# ours\nalice  {ALICE}  # her own\n\n{BOB}\n")
    keys = read_api_keys(path, SECRET)
    assert [key.name for key in keys] == ["alice", "key4"]
    assert keys[0] == KEYS[0] and keys[1].digest == KEYS[1].digest
    assert ALICE not in repr(keys)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no keys"),
        ("# sk-0123456789abcdef\n", "has no keys"),
        ("\nshort", "line 2: no key"),
        (f"alice {ALICE} more", "line 1: no key"),
        (f"{ALICE} alice", "line 1: no key"),
    ],
)
def test_a_file_that_has_no_keys(tmp_path, text, message):
    path = tmp_path / "keys"
    path.write_text(text)
    with pytest.raises(ArgumentError, match=message) as wrong:
        read_api_keys(path, SECRET)
    assert "0123456789" not in str(wrong.value)


def test_a_file_of_keys_that_is_no_text(tmp_path):
    path = tmp_path / "keys"
    path.write_bytes(b"\xff\xd8")
    with pytest.raises(ArgumentError, match=f"cannot read {path}: "):
        read_api_keys(path, SECRET)
    with pytest.raises(ArgumentError, match=r"cannot read .*none"):
        read_api_keys(tmp_path / "none", SECRET)


def preflight(raw, origin: str):
    return raw.ask("OPTIONS", CHAT, None, {
        "origin": origin, "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
    })  # fmt: skip


def test_pages_of_others_may_ask_where_they_are_named(raw):
    reply = preflight(raw, PAGE)
    assert reply.status == 200 and reply.headers["access-control-allow-origin"] == PAGE
    allowed = reply.headers["access-control-allow-headers"].lower()
    assert "authorization" in allowed and "content-type" in allowed
    for headers, status in ((bearer(ALICE), 200), ({}, 401)):
        reply = raw.post(CHAT, BODY, origin=PAGE, **headers)
        assert reply.status == status and reply.headers["access-control-allow-origin"] == PAGE
        assert reply.headers["access-control-allow-credentials"] is None


def test_pages_of_others_may_not_ask_otherwise(raw, script_server):
    open_server = RawClient(script_server.url)
    host = script_server.url.removeprefix("http://")
    for origin in ("https://evil.example", "null", f"https://{host}.evil.example"):
        reply = raw.post(CHAT, BODY, origin=origin, **bearer(ALICE))
        assert reply.status == 403 and reply.error()["code"] == "origin_not_allowed"
        assert open_server.post(CHAT, BODY, origin=origin).status == 403
        reply = preflight(open_server, origin)
        assert reply.status == 403 and reply.headers["access-control-allow-origin"] is None
    reply = open_server.post(CHAT, BODY, origin=script_server.url)  # the page of the server
    assert reply.status == 200
    open_server.close()


@pytest.mark.parametrize("log_text", [False, True])
def test_the_log_has_texts_only_where_asked(script, caplog, log_text):
    caplog.set_level(logging.INFO, "pyhades.server")
    script.tell(f"{FINAL}Violets.<|return|>")
    asked = {"messages": [{"role": "user", "content": "Roses?"}]}
    with served(script, Settings(log_text=log_text, api_keys=KEYS)) as server:
        raw = RawClient(server.url, **bearer(ALICE))
        assert raw.post(CHAT, asked).status == 200
        assert raw.post(CHAT, {**asked, "stream": True}).status == 200
        raw.close()
        until(lambda: len(caplog.messages) >= 2)
    for line in caplog.messages:
        assert f"POST {CHAT} 200" in line and "key=alice" in line and "finish=stop" in line
        assert ("Roses?" in line) is ("Violets." in line) is log_text
        assert ALICE not in line
