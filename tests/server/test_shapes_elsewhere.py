"""Every shape of a turn in Anthropic's and ollama's protocol: streams are the whole, too."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.harmony_shapes import SHAPES
from tests.support.raw_http import RawClient, Reply
from tests.support.toy_tokenizer import toy_tokenizer

CITY = {"type": "object", "properties": {"city": {"type": "string"}}}
ASK = [{"role": "user", "content": "Is it warm?"}]
Blocks = list[tuple[str, Any]]
"""Kind of a block, and its text, or name and input of a call; then why it ended."""


def messages_whole(answer: dict[str, Any]) -> Blocks:
    blocks = [
        (block["type"], (block["name"], block["input"]))
        if block["type"] == "tool_use"
        else (block["type"], block["text" if block["type"] == "text" else "thinking"])
        for block in answer["content"]
    ]
    return [*blocks, ("end", answer["stop_reason"])]


def messages_streamed(reply: Reply) -> Blocks:
    blocks: list[list[Any]] = []
    events = reply.events()
    assert [event["type"] for event in events if event["type"].startswith("message")] == [
        "message_start", "message_delta", "message_stop"
    ]  # fmt: skip
    for event in events:
        if event["type"] == "content_block_start":
            assert event["index"] == len(blocks)
            block = event["content_block"]
            blocks.append([block["type"], block.get("name"), ""])
        elif event["type"] == "content_block_delta":
            delta = event["delta"]
            names = {"text_delta": "text", "thinking_delta": "thinking",
                     "input_json_delta": "partial_json"}  # fmt: skip
            if delta["type"] in names:
                blocks[event["index"]][2] += delta[names[delta["type"]]]
    told: Blocks = [
        (kind, (name, json.loads(text or "{}")) if kind == "tool_use" else text)
        for kind, name, text in blocks
    ]
    (last,) = [event for event in events if event["type"] == "message_delta"]
    return [*told, ("end", last["delta"]["stop_reason"])]


def ollama_whole(answer: dict[str, Any]) -> Blocks:
    return _ollama([answer])


def ollama_streamed(reply: Reply) -> Blocks:
    lines = [json.loads(line) for line in reply.text.splitlines()]
    assert [line["done"] for line in lines] == [False] * (len(lines) - 1) + [True]
    return _ollama(lines)


def _ollama(lines: list[dict[str, Any]]) -> Blocks:
    messages = [line["message"] for line in lines]
    calls = [call["function"] for message in messages for call in message.get("tool_calls") or ()]
    return [
        ("thinking", "".join(message.get("thinking") or "" for message in messages)),
        ("text", "".join(message["content"] for message in messages)),
        *(("tool_use", (call["name"], call["arguments"])) for call in calls),
        ("end", lines[-1]["done_reason"]),
    ]


PROTOCOLS = {
    "/v1/messages": (
        {"messages": ASK, "max_tokens": 4000,
         "thinking": {"type": "enabled", "budget_tokens": 2000},
         "tools": [{"name": "weather", "input_schema": CITY}]},
        messages_whole, messages_streamed,
    ),
    "/api/chat": (
        {"model": "script", "messages": ASK, "think": True,
         "tools": [{"type": "function", "function": {"name": "weather", "parameters": CITY}}]},
        ollama_whole, ollama_streamed,
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def raw(script_server):
    client = RawClient(script_server.url)
    yield client
    client.close()


def both(raw, script, path, written, reason) -> Blocks:
    """What is told at once and as a stream, which has to be the same."""
    body, of_whole, of_stream = PROTOCOLS[path]
    replies = []
    for stream in (False, True):
        script.tell(written, reason=reason)
        replies.append(raw.post(path, {**body, "stream": stream}))
        assert replies[-1].status == 200, replies[-1].text
    told = of_whole(replies[0].json())
    assert of_stream(replies[1]) == told
    return told


@pytest.mark.parametrize("path", PROTOCOLS)
@pytest.mark.parametrize("name", SHAPES)
def test_a_shape(raw, script, path, name):
    shape = SHAPES[name]
    told = both(raw, script, path, shape.written, shape.reason)
    texts = [text for kind, text in told if kind == "text"]
    thoughts = [text for kind, text in told if kind == "thinking"]
    assert " ".join(texts).split() == shape.content.split()
    assert " ".join(thoughts).split() == shape.reasoning.split()
    calls = [call[0] for kind, call in told if kind == "tool_use"]
    assert calls == [call[0] for call in shape.calls]


@pytest.mark.parametrize("path", PROTOCOLS)
@settings(max_examples=50, deadline=None)
@given(tokens=st.lists(st.integers(0, toy_tokenizer().vocab_size - 1) | st.sampled_from(
    sorted(toy_tokenizer().specials.values())), min_size=1, max_size=30))  # fmt: skip
def test_tokens_as_they_come(raw, script, path, tokens):
    both(raw, script, path, tokens, "stop")
