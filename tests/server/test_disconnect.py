"""Clients that go away: nothing is written for nobody, and nothing is left behind."""

from __future__ import annotations

import http.client
import json

import pytest

from tests.support.served import until

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
