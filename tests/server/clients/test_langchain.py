"""langchain-openai. It shows no reasoning of chat completions, by policy, but that of responses."""

from __future__ import annotations

import asyncio

import openai
import pytest
from pydantic import BaseModel

from tests.support.client_cases import (
    ANSWER,
    ANSWERED,
    AS_JSON,
    CALLED,
    QUESTION,
    REASON,
    RESULT,
    cancelled_midway,
    check_ended,
    check_result_was_read,
    tell_slowly,
    version,
)

langchain_openai = pytest.importorskip("langchain_openai")
pytestmark = pytest.mark.slow
CLIENT, VERSION = "langchain-openai", version("langchain-openai")
PROTOCOLS = ("chat", "responses")


class City(BaseModel):
    """Where it is."""

    city: str


def weather(city: str) -> str:
    """The weather of a city."""
    return RESULT


@pytest.fixture(params=["chat", "responses"])
def model(request, script_server):
    others = {"chat": {}, "responses": {"use_responses_api": True,
                                        "output_version": "responses/v1"}}  # fmt: skip
    return langchain_openai.ChatOpenAI(
        base_url=f"{script_server.url}/v1", api_key="none", model="script", max_retries=0,
        **others[request.param],
    )  # fmt: skip


def test_chat(model, script):
    script.tell(ANSWERED)
    answer = model.invoke(QUESTION)
    assert answer.text == ANSWER and answer.usage_metadata["output_tokens"] > 0


def test_stream(model, script):
    script.tell(ANSWERED)
    chunks = list(model.stream(QUESTION))
    assert len(chunks) > 3 and "".join(chunk.text for chunk in chunks) == ANSWER


def test_reasoning(model, script):
    script.tell(ANSWERED)
    answer = model.invoke(QUESTION)
    if not model.use_responses_api:
        pytest.skip("langchain-openai drops it")
    (thought,) = [block for block in answer.content if block["type"] == "reasoning"]
    assert thought["content"][0]["text"] == REASON


def test_tools(model, script):
    script.tell(CALLED, ANSWERED)
    asking = model.bind_tools([weather])
    first = asking.invoke(QUESTION)
    (call,) = first.tool_calls
    assert call["name"] == "weather" and call["args"] == {"city": "Paris"}
    result = {"role": "tool", "content": weather(**call["args"]), "tool_call_id": call["id"]}
    second = asking.invoke([("user", QUESTION), first, result])
    assert second.text == ANSWER
    check_result_was_read(script)


def test_structured(model, script):
    script.tell(AS_JSON)
    assert model.with_structured_output(City).invoke(QUESTION) == City(city="Paris")


def test_errors(model):
    with pytest.raises(openai.BadRequestError) as wrong:
        model.bind(temperature=-1).invoke(QUESTION)
    assert wrong.value.param == "temperature"


def test_abort(model, script):
    tell_slowly(script)
    asyncio.run(cancelled_midway(script, model.ainvoke(QUESTION)))
    check_ended(script)
