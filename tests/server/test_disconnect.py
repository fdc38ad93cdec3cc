"""Clients that go away: nothing is written for nobody, and nothing is left behind."""

from __future__ import annotations

import http.client
import json
import socket
from urllib.parse import urlsplit

import pytest

from pyhades.server import Settings
from tests.support.served import served, until
from tests.support.toy_tokenizer import tokens_of

FINAL = "<|channel|>final<|message|>"
BODY = {"messages": [{"role": "user", "content": "Hi"}]}


@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_ends_where_nobody_reads_it(script_server, script, stream):
    script.tell(FINAL + "word " * 2000 + "<|return|>", seconds=0.001)
    host = script_server.url.removeprefix("http://")
    connection = http.client.HTTPConnection(host)
    connection.request("POST", "/v1/chat/completions", json.dumps({**BODY, "stream": stream}))
    until(lambda: script.scripts and script.scripts[0].told > 20)
    connection.sock.close()
    connection.close()
    until(lambda: script.scripts[0].is_closed)
    assert script.scripts[0].told < 1500
    until(lambda: script_server.service.admission.requests == 0)
    assert script_server.service.admission.queued_tokens == 0


def test_the_engine_holds_nothing_for_clients_that_have_gone(toy_server):
    host = toy_server.url.removeprefix("http://")
    body = json.dumps({**BODY, "stream": True, "ignore_eos": True})
    for read in (0, 1, 200):
        connection = http.client.HTTPConnection(host)
        connection.request("POST", "/v1/chat/completions", body)
        if read:
            assert connection.getresponse().read(read)
        connection.sock and connection.sock.close()
        connection.close()
    llm = toy_server.service.model
    until(lambda: toy_server.service.admission.requests == 0)
    until(lambda: llm.stats().blocks_held == 0)
    assert llm.stats().running == llm.stats().waiting == 0


@pytest.mark.slow
def test_whoever_reads_nothing_has_gone(script):
    text = FINAL + "word " * 10_000 + "<|return|>"  # more than fits into any buffer on the way
    script.tell(text)
    with served(script, Settings(send_seconds=0.2)) as server, socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        address = urlsplit(server.url)
        line.connect((address.hostname, address.port))
        body = json.dumps({**BODY, "stream": True}).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}"
        line.sendall(head.encode() + b"\r\n\r\n" + body)
        until(lambda: script.scripts and script.scripts[0].is_closed)
        assert script.scripts[0].told < len(tokens_of(text))
        until(lambda: server.service.admission.requests == 0)
