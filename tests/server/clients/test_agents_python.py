"""OpenAI's Agents SDK for Python, over chat completions and over responses."""

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

agents = pytest.importorskip("agents")
pytestmark = pytest.mark.slow
CLIENT, VERSION = "openai-agents (Python)", version("openai-agents")
PROTOCOLS = ("chat", "responses")


class City(BaseModel):
    city: str


@agents.function_tool
def weather(city: str) -> str:
    """The weather of a city."""
    return RESULT


@pytest.fixture(params=["chat", "responses"])
def agent(request, script_server):
    agents.set_tracing_disabled(True)
    asking = openai.AsyncOpenAI(base_url=f"{script_server.url}/v1", api_key="none", max_retries=0)
    kinds = {"chat": agents.OpenAIChatCompletionsModel, "responses": agents.OpenAIResponsesModel}
    model = kinds[request.param]("script", openai_client=asking)
    return lambda **options: agents.Agent(name="helper", model=model, **options)


def ask(agent) -> object:
    return asyncio.run(agents.Runner.run(agent, QUESTION))


async def streamed(agent):
    """The result, and all events of the model on the way to it."""
    result = agents.Runner.run_streamed(agent, QUESTION)
    events = [event.data async for event in result.stream_events()
              if event.type == "raw_response_event"]  # fmt: skip
    return result, events


def test_chat(agent, script):
    script.tell(ANSWERED)
    assert ask(agent()).final_output == ANSWER


def test_stream(agent, script):
    script.tell(ANSWERED)
    result, events = asyncio.run(streamed(agent()))
    texts = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(texts) == result.final_output == ANSWER


def test_reasoning(agent, script):
    script.tell(ANSWERED)
    items = [item for item in ask(agent()).new_items if item.type == "reasoning_item"]
    assert items and REASON in str(items[0].raw_item)


@pytest.mark.parametrize("stream", [False, True])
def test_tools(agent, script, stream):
    script.tell(CALLED, ANSWERED)
    asking = agent(tools=[weather])
    result = asyncio.run(streamed(asking))[0] if stream else ask(asking)
    assert result.final_output == ANSWER
    kinds = [item.type for item in result.new_items]
    assert "tool_call_item" in kinds and "tool_call_output_item" in kinds
    check_result_was_read(script)


def test_structured(agent, script):
    script.tell(AS_JSON)
    assert ask(agent(output_type=City)).final_output == City(city="Paris")


def test_errors(agent, script):
    settings = agents.ModelSettings(temperature=-1)
    with pytest.raises(openai.BadRequestError) as wrong:
        ask(agent(model_settings=settings))
    assert wrong.value.param == "temperature"


def test_abort(agent, script):
    tell_slowly(script)
    asyncio.run(cancelled_midway(script, agents.Runner.run(agent(), QUESTION)))
    check_ended(script)
