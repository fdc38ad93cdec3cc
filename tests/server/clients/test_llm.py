"""``llm``, with a model that its users add in ``extra-openai-models.yaml``."""

from __future__ import annotations

import gc

import pytest

from tests.support.client_cases import (
    ANSWER,
    ANSWERED,
    AS_JSON,
    CALLED,
    CITY,
    QUESTION,
    RESULT,
    check_ended,
    check_result_was_read,
    tell_slowly,
    version,
)

llm = pytest.importorskip("llm")
pytestmark = pytest.mark.slow
CLIENT, VERSION = "llm", version("llm")
PROTOCOLS = ("chat",)
MODELS = """
- model_id: ours
  model_name: script
  api_base: {url}/v1
  supports_tools: true
  supports_schema: true
"""


@pytest.fixture
def model(script_server, tmp_path, monkeypatch):
    monkeypatch.setenv("LLM_USER_PATH", str(tmp_path))
    (tmp_path / "extra-openai-models.yaml").write_text(MODELS.format(url=script_server.url))
    return llm.get_model("ours")


def weather(city: str) -> str:
    """The weather of a city."""
    return RESULT


def test_chat(model, script):
    script.tell(ANSWERED)
    response = model.prompt(QUESTION, stream=False)
    assert response.text() == ANSWER and response.usage().output > 0


def test_stream(model, script):
    script.tell(ANSWERED)
    texts = list(model.prompt(QUESTION))
    assert len(texts) > 3 and "".join(texts) == ANSWER


def test_tools(model, script):
    for stream in (False, True):
        script.tell(CALLED, ANSWERED)
        response = model.chain(QUESTION, tools=[weather], stream=stream)
        assert response.text() == ANSWER
        check_result_was_read(script)


def test_structured(model, script):
    script.tell(AS_JSON)
    assert model.prompt(QUESTION, schema=CITY).text() == '{"city": "Paris"}'


def test_errors(model):
    with pytest.raises(Exception, match="temperature"):
        model.prompt(QUESTION, temperature=-1, stream=False).text()


def test_abort(model, script):
    tell_slowly(script)
    texts = iter(model.prompt(QUESTION))
    next(texts)
    del texts  # what llm has of a way to stop
    gc.collect()
    check_ended(script)
