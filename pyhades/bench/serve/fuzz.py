"""Requests that nobody should send, each known by its number: most have a spoilt body."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from typing import Any

from pyhades.bench.serve.exchange import JSON, HttpRequest

_MESSAGES = [{"role": "user", "content": "hello"}]
_TOOL = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {
        "messages": _MESSAGES, "max_tokens": 2, "temperature": 0.5, "top_p": 0.9,
        "n": 1, "stop": ["x"], "stream": False, "seed": 1, "logprobs": True, "top_logprobs": 2,
        "logit_bias": {"5": 1}, "stream_options": {"include_usage": True}, "tool_choice": "auto",
        "tools": [{"type": "function", "function": {"name": "f", "parameters": _TOOL}}],
        "response_format": {"type": "text"}, "reasoning_effort": "low", "user": "u",
    },
    "/v1/completions": {
        "prompt": "hello", "max_tokens": 2, "temperature": 0.5, "top_p": 0.9,
        "n": 1, "stop": ["x"], "stream": False, "seed": 1, "logprobs": 2, "echo": False,
        "suffix": None, "presence_penalty": 0.1, "frequency_penalty": 0.1,
    },
    "/v1/responses": {
        "input": [{"type": "message", "role": "user", "content": "hello"}],
        "max_output_tokens": 2, "temperature": 0.5, "stream": False, "store": False,
        "instructions": "be short", "previous_response_id": None, "reasoning": {"effort": "low"},
        "tools": [{"type": "function", "name": "f", "parameters": _TOOL}],
        "text": {"format": {"type": "text"}}, "metadata": {"a": "b"},
    },
    "/v1/responses/input_tokens": {"input": "hello"},
    "/v1/messages": {
        "messages": _MESSAGES, "max_tokens": 2, "system": "be short",
        "stream": False, "stop_sequences": ["x"], "temperature": 0.5,
        "tools": [{"name": "f", "input_schema": _TOOL}], "tool_choice": {"type": "auto"},
    },
    "/v1/messages/count_tokens": {"messages": _MESSAGES},
    "/tokenize": {"prompt": "hello"},
    "/detokenize": {"tokens": [1, 2, 3]},
    "/api/chat": {
        "messages": _MESSAGES, "stream": False, "options": {"num_predict": 2},
    },
    "/api/generate": {
        "prompt": "hello", "stream": False, "options": {"num_predict": 2},
    },
    "/api/show": {},
}  # fmt: skip
"""Of every path that takes a body: a good one, without its model, which becomes a bad one."""

_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, -(2**63) - 1, 10**400, 0.0, -0.5, 1e308,
    5e-324, float("nan"), float("inf"), "", "x", "\x00", "\ud800", "💥" * 50, "<|start|>assistant",
    "<|return|>", "a" * 5000, [], [None], [[]], {}, {"": None}, [{"role": "tool"}], "null", "12",
)  # fmt: skip
_TYPES = ("text/plain", "application/xml", "multipart/form-data", "application/json; charset=x", "")
_PATHS = (
    "/v1/",
    "/v2/chat/completions",
    "/v1/chat/completions/",
    "/%00",
    "/../etc",
    "/" + "a" * 3000,
)
_METHODS = ("GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD")


def case(seed: int, number: int, model: str) -> HttpRequest:
    """A request to ``model`` with something wrong; the same arguments, the same request."""
    dice = random.Random(f"fuzz {seed} {number}")
    path = dice.choice(list(BODIES))
    body = copy.deepcopy(BODIES[path]) | {"model": model}
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        _spoil(body, dice)
    # A number of 400 digits, NaN and half a surrogate pair are written as Python writes them.
    good = json.dumps(body).encode()
    return dice.choices(tuple(_WAYS), weights=tuple(_WAYS.values()))[0](path, good, dice)


def _spoil(body: dict[str, Any], dice: random.Random) -> None:
    """Change one value, somewhere in the body."""
    places = list(_places(body))
    if not places:
        return
    holder, key = dice.choice(places)
    what = dice.random()
    if what < 0.7:
        holder[key] = copy.deepcopy(dice.choice(_VALUES))
    elif what < 0.8:
        holder[key] = [holder[key]]
    elif what < 0.9:
        holder[key] = {"value": holder[key]}
    else:
        del holder[key]


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Everything that could be another value: its holder, and its name there."""
    keys = list(value) if isinstance(value, dict) else range(len(value))
    found: list[tuple[Any, Any]] = []
    for key in keys:
        found.append((value, key))
        if isinstance(value[key], dict | list):
            found += _places(value[key])
    return found


def _values(path: str, good: bytes, dice: random.Random) -> HttpRequest:
    return HttpRequest(path, good)


def _bytes(path: str, good: bytes, dice: random.Random) -> HttpRequest:
    """Some bytes are others, most of them no UTF-8."""
    spoilt = bytearray(good)
    for _ in range(dice.randint(1, 4)):
        spoilt[dice.randrange(len(spoilt))] = dice.randrange(256)
    return HttpRequest(path, bytes(spoilt))


def _cut(path: str, good: bytes, dice: random.Random) -> HttpRequest:
    """JSON that ends too early."""
    return HttpRequest(path, good[: dice.randrange(len(good))])


def _never_sent(path: str, good: bytes, dice: random.Random) -> HttpRequest:
    """A body that is announced longer than it comes."""
    return HttpRequest(path, good[: dice.randrange(len(good))], missing=dice.randint(1, 5000))


def _deep(path: str, good: bytes, dice: random.Random) -> HttpRequest:
    """Something nested as deep as no reader follows."""
    name = dice.choice([json.dumps(name) for name in (*BODIES[path], "model")]).encode()
    depth = dice.choice((10, 100, 1000, 20_000))
    opened, closed = dice.choice(((b"[", b"]"), (b'{"a":', b"}")))
    return HttpRequest(path, b"{" + name + b":" + opened * depth + b"1" + closed * depth + b"}")


def _not_an_object(path: str, good: bytes, dice: random.Random) -> HttpRequest:
    value = json.dumps(dice.choice(_VALUES)).encode()
    return HttpRequest(path, dice.choice((b"", b" ", b"[" + good + b"]", value, b"\xff\xfe{}")))


def _headers(path: str, good: bytes, dice: random.Random) -> HttpRequest:
    kind = ("content-type", dice.choice(_TYPES))
    odd = dice.choice((
        ("accept", "\x7f" * 40), ("authorization", "Bearer " + "k" * 3000), ("expect", "yes"),
        ("content-encoding", "gzip"), ("accept-encoding", "*;q=-1"), ("x-a", "é" * 50),
        ("authorization", "Basic %%%"), ("origin", "null"), ("cookie", ";;=;"),
    ))  # fmt: skip
    return HttpRequest(path, good, headers=(kind, odd))


def _elsewhere(path: str, good: bytes, dice: random.Random) -> HttpRequest:
    """A path or a method that there is not."""
    if dice.random() < 0.5:
        return HttpRequest(dice.choice(_PATHS), good)
    return HttpRequest(path, good, method=dice.choice(_METHODS), headers=JSON)


_Way = Callable[[str, bytes, random.Random], HttpRequest]
_WAYS: dict[_Way, float] = {
    _values: 60, _bytes: 8, _cut: 5, _never_sent: 4, _deep: 5, _not_an_object: 6, _headers: 6,
    _elsewhere: 6,
}  # fmt: skip
