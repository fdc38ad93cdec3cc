"""ollama's client for Python at ``/api/chat`` and beside it."""

from __future__ import annotations

import asyncio
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
    cancelled_midway,
    check_ended,
    check_result_was_read,
    tell_slowly,
    version,
)

ollama = pytest.importorskip("ollama")
pytestmark = pytest.mark.slow
CLIENT, VERSION = "ollama-python", version("ollama")
PROTOCOLS = ("ollama's chat",)


@pytest.fixture(scope="module")
def client(script_server):
    return ollama.Client(host=script_server.url)


def test_chat(client, script):
    script.tell(ANSWERED)
    assert client.chat("script", ASK).message.content == ANSWER
    assert [model.model for model in client.list().models] == ["script:latest"]


def test_stream(client, script):
    script.tell(ANSWERED)
    *pieces, last = client.chat("script", ASK, stream=True)
    assert last.done and last.eval_count > 0 and not any(piece.done for piece in pieces)
    texts = [piece.message.content for piece in [*pieces, last] if piece.message.content]
    assert len(texts) > 3 and "".join(texts) == ANSWER


def test_reasoning(client, script):
    script.tell(ANSWERED)
    assert client.chat("script", ASK, think="medium").message.thinking == REASON
    pieces = client.chat("script", ASK, think=True, stream=True)
    assert "".join(piece.message.thinking or "" for piece in pieces) == REASON


@pytest.mark.parametrize("stream", [False, True])
def test_tools(client, script, stream):
    script.tell(CALLED, ANSWERED)
    answer = client.chat("script", ASK, tools=TOOLS, stream=stream)
    messages = [piece.message for piece in answer] if stream else [answer.message]
    (call,) = [call for message in messages for call in message.tool_calls or ()]
    assert call.function.name == "weather" and call.function.arguments == {"city": "Paris"}
    thought = "".join(message.thinking or "" for message in messages)
    history = [
        *ASK,
        {"role": "assistant", "thinking": thought, "tool_calls": [call]},
        {"role": "tool", "tool_name": "weather", "content": RESULT},
    ]
    assert client.chat("script", history, tools=TOOLS).message.content == ANSWER
    check_result_was_read(script)


def test_structured(client, script):
    script.tell(AS_JSON)
    answer = client.chat("script", ASK, format=CITY)
    assert json.loads(answer.message.content) == {"city": "Paris"}


def test_errors(client):
    with pytest.raises(ollama.ResponseError) as unknown:
        client.chat("llama3", ASK)
    assert unknown.value.status_code == 404 and "llama3" in unknown.value.error
    with pytest.raises(ollama.ResponseError) as wrong:
        client.chat("script", ASK, options={"temperature": -1})
    assert wrong.value.status_code == 400 and "temperature" in wrong.value.error


def test_abort(client, script, script_server):
    async def ask() -> None:
        asking = ollama.AsyncClient(host=script_server.url)
        await cancelled_midway(script, asking.chat("script", ASK))

    tell_slowly(script)
    pieces = client.chat("script", ASK, stream=True)
    next(pieces)
    pieces.close()
    check_ended(script)
    tell_slowly(script)
    asyncio.run(ask())
    check_ended(script)
