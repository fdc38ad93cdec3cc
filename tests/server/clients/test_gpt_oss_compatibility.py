"""What OpenAI's ``compatibility-test`` of gpt-oss asks of a server, over both protocols.

A call has the name and arguments that its schema allows, and its reasoning is told: as
``message.reasoning`` of chat completions, ``delta.reasoning`` of their streams, and as an item
with ``reasoning_text`` of responses. The model is a scripted one; the toy is made to call, too.
"""

from __future__ import annotations

import json

import jsonschema
import openai
import pytest

from tests.support.client_cases import CITY

pytestmark = pytest.mark.slow
CASES = {
    "a city": ("weather", CITY, {"city": "Paris"}),
    "two numbers": (
        "route.length",
        {"type": "object", "required": ["from", "to"], "properties": {
            "from": {"type": "array", "items": {"type": "number"}, "minItems": 2},
            "to": {"type": "array", "items": {"type": "number"}, "minItems": 2}}},
        {"from": [48.8, 2.3], "to": [52.5, 13.4]},
    ),
    "a choice": (
        "convert_currency",
        {"type": "object", "required": ["amount", "unit"], "properties": {
            "amount": {"type": "integer"}, "unit": {"type": "string", "enum": ["EUR", "USD"]}}},
        {"amount": 10, "unit": "EUR"},
    ),
    "something inside": (
        "search-orders",
        {"type": "object", "properties": {
            "filter": {"type": "object", "properties": {"name": {"type": "string"}}}}},
        {"filter": {"name": "Zoë \"the\" 日本"}},
    ),
    "nothing": ("now", {"type": "object", "properties": {}}, {}),
}  # fmt: skip
ASK = "Do what has to be done."


@pytest.fixture(scope="module")
def client(script_server):
    with openai.OpenAI(base_url=f"{script_server.url}/v1", api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture(params=CASES)
def case(request, script):
    name, schema, arguments = CASES[request.param]
    script.tell(
        "<|channel|>analysis<|message|>They want it.<|end|><|start|>assistant<|channel|>commentary"
        f" to=functions.{name} <|constrain|>json<|message|>{json.dumps(arguments)}<|call|>"
    )
    return name, schema, arguments


def check(case, name: str, arguments: str) -> None:
    expected, schema, values = case
    assert name == expected and json.loads(arguments) == values
    jsonschema.validate(json.loads(arguments), schema)


def tool(case) -> dict:
    return {"name": case[0], "parameters": case[1]}


def test_chat(client, case):
    (choice,) = client.chat.completions.create(
        model="script", messages=[{"role": "user", "content": ASK}],
        tools=[{"type": "function", "function": tool(case)}],
    ).choices  # fmt: skip
    (call,) = choice.message.tool_calls
    check(case, call.function.name, call.function.arguments)
    assert choice.finish_reason == "tool_calls" and choice.message.reasoning == "They want it."


def test_stream(client, case):
    deltas = [
        chunk.choices[0].delta
        for chunk in client.chat.completions.create(
            model="script", messages=[{"role": "user", "content": ASK}], stream=True,
            tools=[{"type": "function", "function": tool(case)}],
        )
    ]  # fmt: skip
    calls = [call.function for delta in deltas for call in delta.tool_calls or ()]
    check(case, calls[0].name, "".join(call.arguments for call in calls))
    assert any(getattr(delta, "reasoning", None) for delta in deltas)


@pytest.mark.parametrize("stream", [False, True])
def test_responses(client, case, stream):
    asked = {"model": "script", "input": ASK, "tools": [{"type": "function", **tool(case)}]}
    if stream:
        *_, last = client.responses.create(**asked, stream=True)
        assert last.type == "response.completed"
        output = last.response.output
    else:
        output = client.responses.create(**asked).output
    (call,) = [item for item in output if item.type == "function_call"]
    check(case, call.name, call.arguments)
    (thought,) = [item for item in output if item.type == "reasoning"]
    assert [part.type for part in thought.content] == ["reasoning_text"] and thought.content[0].text


@pytest.mark.parametrize("name", CASES)
def test_tools(toy_server, name):
    """A model that writes anything writes calls that are as their schema says, if it has to."""
    pytest.importorskip("llguidance")
    expected, schema, _ = CASES[name]
    with openai.OpenAI(base_url=f"{toy_server.url}/v1", api_key="none") as client:
        (choice,) = client.chat.completions.create(
            model="toy", messages=[{"role": "user", "content": ASK}], seed=1, max_tokens=400,
            tool_choice="required",
            extra_body={"reasoning_budget": 10},
            tools=[{"type": "function", "function": {
                "name": expected, "parameters": schema, "strict": True}}],
        ).choices  # fmt: skip
    (call,) = choice.message.tool_calls
    assert call.function.name == expected
    if choice.finish_reason == "tool_calls":
        jsonschema.validate(json.loads(call.function.arguments), schema)
    else:  # it went on and on in a text
        assert choice.finish_reason == "length"
