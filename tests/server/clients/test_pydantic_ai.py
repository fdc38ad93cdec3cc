"""pydantic-ai, over chat completions and over responses."""

from __future__ import annotations

import asyncio

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

pydantic_ai = pytest.importorskip("pydantic_ai")
pytestmark = pytest.mark.slow
CLIENT, VERSION = "pydantic-ai", version("pydantic-ai-slim")
PROTOCOLS = ("chat", "responses")


class City(BaseModel):
    city: str


def weather(city: str) -> str:
    """The weather of a city."""
    return RESULT


@pytest.fixture(params=["chat", "responses"])
def agent(request, script_server):
    from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
    from pydantic_ai.providers.openai import OpenAIProvider

    kinds = {"chat": OpenAIChatModel, "responses": OpenAIResponsesModel}
    provider = OpenAIProvider(base_url=f"{script_server.url}/v1", api_key="none")
    return lambda **options: pydantic_ai.Agent(
        kinds[request.param]("script", provider=provider), **options
    )


def test_chat(agent, script):
    script.tell(ANSWERED)
    assert agent().run_sync(QUESTION).output == ANSWER


def test_stream(agent, script):
    async def streamed() -> list[str]:
        async with agent().run_stream(QUESTION) as result:
            return [text async for text in result.stream_text(delta=True, debounce_by=None)]

    script.tell(ANSWERED)
    texts = asyncio.run(streamed())
    assert len(texts) > 3 and "".join(texts) == ANSWER


def test_reasoning(agent, script):
    script.tell(ANSWERED)
    response = agent().run_sync(QUESTION).response
    assert any(part.part_kind == "thinking" and REASON in str(part) for part in response.parts)


def test_tools(agent, script):
    script.tell(CALLED, ANSWERED)
    assert agent(tools=[weather]).run_sync(QUESTION).output == ANSWER
    check_result_was_read(script)


def test_structured(agent, script):
    script.tell(AS_JSON)
    asking = agent(output_type=pydantic_ai.NativeOutput(City))
    assert asking.run_sync(QUESTION).output == City(city="Paris")


def test_errors(agent):
    with pytest.raises(pydantic_ai.exceptions.ModelHTTPError) as wrong:
        agent(model_settings={"temperature": -1}).run_sync(QUESTION)
    assert wrong.value.status_code == 400


def test_abort(agent, script):
    tell_slowly(script)
    asyncio.run(cancelled_midway(script, agent().run(QUESTION)))
    check_ended(script)
