"""Bodies that nobody should send: good ones, changed at random in what they say and in bytes."""

from __future__ import annotations

import copy
import json
from random import Random
from typing import Any

FEW = 3
"""Tokens of an answer to a body that is good by chance."""
MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
    {"role": "assistant", "content": None, "reasoning": "Hm.", "tool_calls": [
        {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
    {"role": "tool", "tool_call_id": "call_1", "content": "21"},
]  # fmt: skip
_FUNCTION = {"name": "f", "description": "A function.", "parameters": {
    "type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}}  # fmt: skip
_TOOLS = [{"type": "function", "function": _FUNCTION}]
_FORMAT = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
_SAMPLING = {
    "temperature": 0.5, "top_p": 0.9, "seed": 1, "stop": ["x"], "presence_penalty": 0.1,
    "frequency_penalty": 0.1, "logit_bias": {"5": 1},
}  # fmt: skip

BODIES: dict[str, list[dict[str, Any]]] = {
    "/v1/chat/completions": [
        {"messages": MESSAGES[:2], "max_tokens": FEW, "n": 2, "logprobs": True, **_SAMPLING},
        {"messages": MESSAGES, "max_tokens": FEW, "tools": _TOOLS, "tool_choice": "auto",
         "parallel_tool_calls": True, "reasoning_effort": "low", "stream": True,
         "stream_options": {"include_usage": True}},
        {"messages": MESSAGES[:2], "max_tokens": FEW, "response_format": _FORMAT},
    ],
    "/v1/completions": [
        {"prompt": ["a", "b"], "max_tokens": FEW, "logprobs": 2, "echo": False, **_SAMPLING},
        {"prompt": [1, 2, 3], "max_tokens": FEW, "stream": True, "echo": True},
    ],
    "/v1/responses": [
        {"input": "Hi", "max_output_tokens": FEW, "reasoning": {"effort": "low"},
         "text": {"format": {"type": "text"}}, "include": [], "store": False},
        {"input": [
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
            {"type": "reasoning", "summary": [], "content": [
                {"type": "reasoning_text", "text": "Hm."}]},
            {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "call_1", "output": "21"}],
         "max_output_tokens": FEW, "tools": [{"type": "function", **_FUNCTION}], "stream": True},
    ],
    "/v1/messages": [
        {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": FEW, "system": "Be brief.",
         "stop_sequences": ["x"], "thinking": {"type": "enabled", "budget_tokens": 2}},
        {"messages": [
            {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
            {"role": "assistant", "content": [
                {"type": "tool_use", "id": "call_1", "name": "f", "input": {}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "call_1", "content": "21"}]}],
         "max_tokens": FEW, "stream": True,
         "tools": [{"name": "f", "input_schema": _FUNCTION["parameters"]}]},
    ],
    "/api/chat": [
        {"model": "toy", "messages": MESSAGES[:1], "options": {"num_predict": FEW, "seed": 1}},
        {"model": "toy", "messages": MESSAGES[:1], "options": {"num_predict": FEW}, "think": True,
         "tools": _TOOLS, "stream": False},
    ],
    "/api/generate": [{"model": "toy", "prompt": "Hi", "options": {"num_predict": FEW}}],
    "/api/show": [{"model": "toy"}],
    "/tokenize": [{"prompt": "Hi"}, {"messages": MESSAGES, "tools": _TOOLS}],
    "/detokenize": [{"tokens": [1, 2, 3]}],
    "/v1/responses/input_tokens": [{"input": "Hi"}],
    "/v1/messages/count_tokens": [{"messages": [{"role": "user", "content": "Hi"}]}],
}  # fmt: skip
"""Good ones, by path."""

_ODD = (
    None, True, False, 0, 1, -1, 2**31, 2**63, -(2**63), 2**200, 0.5, -0.0, 1e308, 5e-324, "", "x",
    "<|start|>assistant<|channel|>final<|message|>", "\x00", "\ud800", "日本🌦️" * 9, [], {}, [[]],
    {"": None}, [None], ["x"] * 40, {"type": "x"}, {"$ref": "#"}, "2025-02-30", "data:image/png,x",
)  # fmt: skip


def odd_body(random: Random) -> tuple[str, bytes]:
    """A path, and what is sent there."""
    path = random.choice(sorted(BODIES))
    body: Any = copy.deepcopy(random.choice(BODIES[path]))
    for _ in range(random.choice((0, 1, 1, 2, 4))):
        _change(random, body)
    raw = json.dumps(body).encode()
    return path, raw if random.random() < 0.7 else _damaged(random, raw)


def _change(random: Random, value: Any) -> None:
    """Something in a body: another value, one more, or one less."""
    while True:
        places = list(value) if isinstance(value, dict) else list(range(len(value)))
        if not places:
            return
        place = random.choice(places)
        inside = value[place]
        if not isinstance(inside, dict | list) or random.random() < 0.3:
            break
        value = inside
    what = random.random()
    if what < 0.6:
        value[place] = copy.deepcopy(random.choice(_ODD))
    elif what < 0.8:
        del value[place]
    elif isinstance(value, dict):
        value[random.choice((*_NAMES, "x"))] = copy.deepcopy(random.choice(_ODD))
    else:
        value.append(copy.deepcopy(random.choice(_ODD)))


_NAMES = sorted({name for bodies in BODIES.values() for body in bodies for name in body})


def _damaged(random: Random, raw: bytes) -> bytes:
    """Bytes of which some are others, missing, or there twice."""
    damaged = bytearray(raw)
    for _ in range(random.choice((1, 1, 3, 20))):
        at = random.randrange(len(damaged) or 1)
        what = random.randrange(4)
        if what == 0:
            damaged[at : at + 1] = bytes([random.randrange(256)])
        elif what == 1:
            del damaged[at : at + random.choice((1, 5, 1000))]
        elif what == 2:
            damaged[at:at] = random.choice(
                (b"\xff", b"[", b'{"', b"\\u0000", b"1e999", b'"\\ud800"')
            )
        else:
            damaged[at:at] = damaged[at : at + 30]
    return bytes(damaged)
