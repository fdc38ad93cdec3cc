"""anthropic-python at ``/v1/messages``."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.client_cases import (
    ANSWER,
    ANSWERED,
    ASK,
    CALLED,
    CITY,
    REASON,
    RESULT,
    cancelled_midway,
    check_ended,
    check_result_was_read,
    tell_slowly,
    version,
)

anthropic = pytest.importorskip("anthropic")
pytestmark = pytest.mark.slow
CLIENT, VERSION = "anthropic-python", version("anthropic")
PROTOCOLS = ("Anthropic's messages",)
TOOLS = [{"name": "weather", "description": "The weather.", "input_schema": CITY}]
ASKED = {"model": "script", "max_tokens": 2000, "messages": ASK}


@pytest.fixture(scope="module")
def client(script_server):
    with anthropic.Anthropic(base_url=script_server.url, api_key="none", max_retries=0) as client:
        yield client


def block(message, kind: str):
    return next(each for each in message.content if each.type == kind)


def test_chat(client, script):
    script.tell(ANSWERED)
    message = client.messages.create(**ASKED)
    assert block(message, "text").text == ANSWER and message.stop_reason == "end_turn"


def test_stream(client, script):
    script.tell(ANSWERED)
    with client.messages.stream(**ASKED) as stream:
        texts = list(stream.text_stream)
        message = stream.get_final_message()
    assert len(texts) > 3 and "".join(texts) == block(message, "text").text == ANSWER


def test_reasoning(client, script):
    script.tell(ANSWERED)
    thinking = {"type": "enabled", "budget_tokens": 1024}
    message = client.messages.create(**ASKED, thinking=thinking)
    assert block(message, "thinking").thinking == REASON
    with client.messages.stream(**ASKED, thinking=thinking) as stream:
        assert block(stream.get_final_message(), "thinking").thinking == REASON


@pytest.mark.parametrize("stream", [False, True])
def test_tools(client, script, stream):
    script.tell(CALLED, ANSWERED)
    if stream:
        with client.messages.stream(**ASKED, tools=TOOLS) as streamed:
            first = streamed.get_final_message()
    else:
        first = client.messages.create(**ASKED, tools=TOOLS)
    call = block(first, "tool_use")
    assert first.stop_reason == "tool_use" and call.input == {"city": "Paris"}
    result = {"type": "tool_result", "tool_use_id": call.id, "content": RESULT}
    history = [
        *ASK,
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": [result]},
    ]
    second = client.messages.create(**{**ASKED, "messages": history}, tools=TOOLS)
    assert block(second, "text").text == ANSWER
    check_result_was_read(script)


def test_errors(client):
    with pytest.raises(anthropic.BadRequestError) as wrong:
        client.messages.create(**ASKED, extra_body={"temperature": -1})
    assert wrong.value.body["error"]["type"] == "invalid_request_error"
    with pytest.raises(anthropic.NotFoundError):
        client.messages.create(**{**ASKED, "model": "claude"})


def test_abort(client, script):
    async def ask() -> None:
        async with anthropic.AsyncAnthropic(base_url=client.base_url, api_key="none") as asking:
            await cancelled_midway(script, asking.messages.create(**ASKED))

    tell_slowly(script)
    with client.messages.stream(**ASKED) as stream:
        next(iter(stream.text_stream))
    check_ended(script)
    tell_slowly(script)
    asyncio.run(ask())
    check_ended(script)
