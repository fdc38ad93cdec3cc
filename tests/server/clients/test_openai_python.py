"""openai-python: chat, streams and their helper, ``parse``, tools, responses."""

from __future__ import annotations

import asyncio
from typing import Literal

import openai
import pytest
from pydantic import BaseModel

from tests.support.client_cases import (
    ANSWER,
    ANSWERED,
    AS_JSON,
    ASK,
    CALLED,
    QUESTION,
    REASON,
    RESULT,
    TOOLS,
    cancelled_midway,
    check_ended,
    check_result_was_read,
    tell_slowly,
    version,
)

CLIENT, VERSION = "openai-python", version("openai")
PROTOCOLS = ("chat", "responses")
FLAT = [{"type": "function", **TOOLS[0]["function"]}]


class City(BaseModel):
    city: str


class Choice(BaseModel):
    city: Literal["Paris", "Rome"]
    is_warm: bool


@pytest.fixture(scope="module")
def client(script_server):
    with openai.OpenAI(base_url=f"{script_server.url}/v1", api_key="none", max_retries=0) as client:
        yield client


def test_chat(client, script):
    script.tell(ANSWERED)
    completion = client.chat.completions.create(model="script", messages=ASK)
    assert completion.choices[0].message.content == ANSWER


def test_stream(client, script):
    script.tell(ANSWERED)
    chunks = client.chat.completions.create(model="script", messages=ASK, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == ANSWER
    with client.chat.completions.stream(model="script", messages=ASK) as stream:
        texts = [event.delta for event in stream if event.type == "content.delta"]
        assert "".join(texts) == stream.get_final_completion().choices[0].message.content == ANSWER


def test_reasoning(client, script):
    script.tell(ANSWERED)
    message = client.chat.completions.create(model="script", messages=ASK).choices[0].message
    assert message.reasoning == message.reasoning_content == REASON
    chunks = client.chat.completions.create(model="script", messages=ASK, stream=True)
    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert "".join(getattr(delta, "reasoning", None) or "" for delta in deltas) == REASON


def test_tools(client, script):
    script.tell(CALLED, ANSWERED)
    first = client.chat.completions.create(model="script", messages=ASK, tools=TOOLS)
    (call,) = first.choices[0].message.tool_calls
    assert (call.function.name, call.function.arguments) == ("weather", '{"city": "Paris"}')
    history = [
        *ASK,
        first.choices[0].message,  # as it is
        {"role": "tool", "tool_call_id": call.id, "content": RESULT},
    ]
    second = client.chat.completions.create(model="script", messages=history, tools=TOOLS)
    assert second.choices[0].message.content == ANSWER
    check_result_was_read(script)


def test_structured(client, script):
    script.tell(AS_JSON)
    completion = client.chat.completions.parse(
        model="script",
        messages=ASK,
        response_format=City,
        tools=[openai.pydantic_function_tool(City)],
    )
    assert completion.choices[0].message.parsed == City(city="Paris")
    with client.chat.completions.stream(
        model="script", messages=ASK, response_format=City
    ) as stream:
        assert stream.get_final_completion().choices[0].message.parsed == City(city="Paris")
    script.tell(CALLED.replace("functions.weather", "functions.City"))
    completion = client.chat.completions.parse(
        model="script", messages=ASK, tools=[openai.pydantic_function_tool(City)]
    )
    (call,) = completion.choices[0].message.tool_calls
    assert call.function.parsed_arguments == City(city="Paris")
    script.tell(AS_JSON[:-12], reason="length")
    with pytest.raises(openai.LengthFinishReasonError):
        client.chat.completions.parse(model="script", messages=ASK, response_format=City)


def test_errors(client, script):
    with pytest.raises(openai.NotFoundError) as unknown:
        client.chat.completions.create(model="gpt-4", messages=ASK)
    assert unknown.value.code == "model_not_found" and unknown.value.param == "model"
    with pytest.raises(openai.BadRequestError) as wrong:
        client.responses.create(model="script", input=QUESTION, temperature=-1)
    assert wrong.value.param == "temperature"
    script.tell(ANSWERED[:-12], error=RuntimeError("no"))
    with pytest.raises(openai.APIError):
        list(client.chat.completions.create(model="script", messages=ASK, stream=True))


def test_abort(client, script):
    tell_slowly(script)
    with client.chat.completions.create(model="script", messages=ASK, stream=True) as stream:
        next(iter(stream))
    check_ended(script)

    async def ask() -> None:
        async with openai.AsyncOpenAI(base_url=client.base_url, api_key="none") as asking:
            request = asking.chat.completions.create(model="script", messages=ASK)
            await cancelled_midway(script, request)

    tell_slowly(script)
    asyncio.run(ask())
    check_ended(script)


def test_responses(client, script):
    script.tell(ANSWERED)
    response = client.responses.create(model="script", input=QUESTION)
    assert response.status == "completed" and response.output_text == ANSWER
    thought = next(item for item in response.output if item.type == "reasoning")
    assert thought.content[0].text == REASON
    with client.responses.stream(model="script", input=QUESTION) as stream:
        events = list(stream)
        final = stream.get_final_response()
    assert events[0].type == "response.created" and events[-1].type == "response.completed"
    assert [event.sequence_number for event in events] == sorted(
        event.sequence_number for event in events
    )
    assert final.output_text == ANSWER
    script.tell(AS_JSON)
    parsed = client.responses.parse(model="script", input=QUESTION, text_format=City)
    assert parsed.output_parsed == City(city="Paris")
    with client.responses.stream(model="script", input=QUESTION, text_format=City) as stream:
        assert stream.get_final_response().output_parsed == City(city="Paris")


def test_responses_tools(client, script):
    script.tell(CALLED, ANSWERED)
    first = client.responses.create(model="script", input=QUESTION, tools=FLAT)
    call = next(item for item in first.output if item.type == "function_call")
    assert (call.name, call.arguments) == ("weather", '{"city": "Paris"}')
    result = {"type": "function_call_output", "call_id": call.call_id, "output": RESULT}
    second = client.responses.create(
        model="script", input=[result], previous_response_id=first.id, tools=FLAT
    )
    assert second.output_text == ANSWER
    check_result_was_read(script)
    script.tell(CALLED, ANSWERED)
    with client.responses.stream(model="script", input=QUESTION, tools=FLAT, store=False) as stream:
        first = stream.get_final_response()
    history = [{"role": "user", "content": QUESTION}, *first.output]
    call = next(item for item in first.output if item.type == "function_call")
    history.append({**result, "call_id": call.call_id})
    second = client.responses.create(model="script", input=history, tools=FLAT, store=False)
    assert second.output_text == ANSWER
    check_result_was_read(script)


def test_a_model_that_writes_anything_is_held_to_a_schema(toy_server):
    pytest.importorskip("llguidance")
    few = {"reasoning_budget": 5}  # which is all that the toy would do
    with openai.OpenAI(base_url=f"{toy_server.url}/v1", api_key="none") as client:
        completion = client.chat.completions.parse(
            model="toy", messages=ASK, response_format=Choice, seed=1, extra_body=few
        )
        assert isinstance(completion.choices[0].message.parsed, Choice)
        response = client.responses.parse(
            model="toy", input=QUESTION, text_format=Choice, extra_body={**few, "seed": 1}
        )
        assert isinstance(response.output_parsed, Choice)
