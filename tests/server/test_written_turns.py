"""Loops of calls over every protocol: each step reads what is new, however a client spells JSON."""

from __future__ import annotations

import json

import httpx
import pytest

from tests.support.dictated_llm import DictatedLLM, letter_by_letter
from tests.support.served import served
from tests.support.toy_tokenizer import tokens_of

ASK = "Is it warm in Paris, and in München, and in Cairo? " * 4
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}}
TURN = (
    "<|channel|>analysis<|message|>I have to look that up, one by one, for all.<|end|>"
    "<|start|>assistant<|channel|>commentary<|message|>I look that up.<|end|>"
    "<|start|>assistant<|channel|>commentary to=functions.weather <|constrain|>json<|message|>"
    '{"city":  "Paris", "unit": "celsius", "days": [1, 2, 3], "reason": "the user asks for it"}'
    "<|call|>"
)
RESULT = len(tokens_of("<|start|>functions.weather to=assistant<|channel|>commentary<|message|>0"
                       "<|end|><|start|>assistant"))  # fmt: skip
MOST = RESULT + 2 * 16
"""Tokens that a step may read: the result, and what is left of two blocks."""
STEPS = 4


@pytest.fixture(scope="module")
def url():
    with DictatedLLM.opened(letter_by_letter(TURN)) as llm, served(llm) as server:
        yield server.url


def post(url: str, path: str, **body):
    answer = httpx.post(f"{url}{path}", json=body, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.json()


def respelled(arguments: str | dict) -> str:
    """The same JSON, in another order and with other spaces."""
    parsed = json.loads(arguments) if isinstance(arguments, str) else arguments
    return json.dumps(dict(reversed(parsed.items())), indent=1)


@pytest.mark.parametrize("keeps_reasoning", [True, False])
def test_chat_completions(url, keeps_reasoning):
    tools = [{"type": "function", "function": {"name": "weather", "parameters": PARAMETERS}}]
    messages = [{"role": "user", "content": f"{keeps_reasoning} {ASK}"}]
    for step in range(STEPS):
        told = post(url, "/v1/chat/completions", messages=messages, tools=tools, date=None)
        usage = told["usage"]
        cached = usage["prompt_tokens_details"]["cached_tokens"]
        assert step == 0 or usage["prompt_tokens"] - cached <= MOST
        message = told["choices"][0]["message"]
        if not keeps_reasoning:
            del message["reasoning"], message["reasoning_content"]
        (call,) = message["tool_calls"]
        call["function"]["arguments"] = respelled(call["function"]["arguments"])
        messages += [message, {"role": "tool", "tool_call_id": call["id"], "content": "0"}]


@pytest.mark.parametrize("is_stored", [True, False])
def test_responses(url, is_stored):
    tools = [{"type": "function", "name": "weather", "parameters": PARAMETERS}]
    items = [{"role": "user", "content": f"{is_stored} {ASK}"}]
    previous = None
    for step in range(STEPS):
        told = post(url, "/v1/responses", input=items, tools=tools, store=is_stored,
                    previous_response_id=previous)  # fmt: skip
        usage = told["usage"]
        cached = usage["input_tokens_details"]["cached_tokens"]
        assert step == 0 or usage["input_tokens"] - cached <= MOST
        call = next(item for item in told["output"] if item["type"] == "function_call")
        result = {"type": "function_call_output", "call_id": call["call_id"], "output": "0"}
        if is_stored:
            items, previous = [result], told["id"]
        else:
            call["arguments"] = respelled(call["arguments"])
            items += [*told["output"], result]


@pytest.mark.parametrize("thinking", [{"type": "enabled"}, None])
def test_anthropic(url, thinking):
    tools = [{"name": "weather", "input_schema": PARAMETERS}]
    messages = [{"role": "user", "content": f"{thinking} {ASK}"}]
    for step in range(STEPS):
        told = post(url, "/v1/messages", messages=messages, tools=tools, max_tokens=2000,
                    thinking=thinking)  # fmt: skip
        assert step == 0 or told["usage"]["input_tokens"] <= MOST
        call = next(block for block in told["content"] if block["type"] == "tool_use")
        call["input"] = json.loads(respelled(call["input"]))
        result = {"type": "tool_result", "tool_use_id": call["id"], "content": "0"}
        messages += [{"role": "assistant", "content": told["content"]},
                     {"role": "user", "content": [result]}]  # fmt: skip


def test_ollama(url):
    """It tells no cached tokens, so the model itself is asked."""
    tools = [{"type": "function", "function": {"name": "weather", "parameters": PARAMETERS}}]
    messages = [{"role": "user", "content": f"ollama {ASK}"}]
    for step in range(STEPS):
        before = hits(url)
        told = post(url, "/api/chat", messages=messages, tools=tools, stream=False, model="")
        queries, found = (now - then for now, then in zip(hits(url), before, strict=True))
        assert step == 0 or queries - found <= MOST
        message = told["message"]
        (call,) = message["tool_calls"]
        call["function"]["arguments"] = json.loads(respelled(call["function"]["arguments"]))
        messages += [message, {"role": "tool", "tool_call_id": call["id"], "content": "0"}]


def hits(url: str) -> tuple[float, float]:
    """Tokens that were looked up so far, and those that were found."""
    lines = httpx.get(f"{url}/metrics").text.splitlines()
    numbers = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return tuple(
        next(float(value) for key, value in numbers.items() if key.startswith(f"vllm:{name}_total"))
        for name in ("prefix_cache_queries", "prefix_cache_hits")
    )


def test_a_response_is_gone_on_from_as_it_was_written():
    """Also where it calls nothing: by the ids of its messages."""
    final = "<|channel|>final<|message|>It is warm in all of these places, and sunny.<|return|>"
    with DictatedLLM.opened(letter_by_letter(final)) as llm, served(llm) as server:
        first = post(server.url, "/v1/responses", input=ASK)
        told = post(server.url, "/v1/responses", input="And now?",
                    previous_response_id=first["id"])["usage"]  # fmt: skip
        asked = len(tokens_of("<|start|>user<|message|>And now?<|end|><|start|>assistant"))
        cached = told["input_tokens_details"]["cached_tokens"]
        assert told["input_tokens"] - cached <= asked + 2 * 16
