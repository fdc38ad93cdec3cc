"""ollama's API: every shape of a turn without a server, and its own client with one."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyhades.server.errors import ApiError
from pyhades.server.protocol.ollama import (
    ChatBody,
    GenerateBody,
    Options,
    understand_chat,
    understand_generate,
)
from tests.support.desks import desk
from tests.support.harmony_shapes import CALL, FINAL, SHAPES, THOUGHT, Shape
from tests.support.harmony_tokens import TOKENS
from tests.support.raw_http import RawClient

ASK = [{"role": "user", "content": "Is it warm?"}]
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
CALLS = f'{THOUGHT}{CALL}{{"city": "Paris"}}<|call|>'
TIMES = ("total_duration", "prompt_eval_duration", "eval_duration")


def told(script, written, reason="stop", **body):
    """The answer that lines add up to, which is the one that comes at once."""
    fields = {"model": "script:latest", "messages": ASK, "tools": TOOLS, **body}
    calls = [understand_chat(ChatBody(**fields), desk()) for _ in range(2)]
    script.tell(written, reason=reason)
    pieces = list(calls[0].turn.prepare(script, ""))
    face = calls[0].face
    events = [*face.begin(1), *itertools.chain(*map(face.push, pieces)), *face.finish()]
    calls[1].face.begin(1)
    for piece in pieces:
        calls[1].face.push(piece)
    answer, whole = added_up([event.data for event in events]), calls[1].face.whole()
    for name in TIMES:
        assert answer.pop(name) >= 0 and whole.pop(name) >= 0
    assert answer == whole
    return answer


def added_up(lines):
    *others, last = lines
    assert last["done"] and last["message"] == {"role": "assistant", "content": ""}
    message = dict(last["message"])
    for line in others:
        assert not line["done"] and line["message"].keys() >= {"role", "content"}
        assert "done_reason" not in line and line["model"] == "script:latest"
        for name in ("content", "thinking", "tool_calls"):
            if line["message"].get(name):
                empty = [] if name == "tool_calls" else ""
                message[name] = message.get(name, empty) + line["message"][name]
    return {**last, "message": message}


def object_of(arguments):
    try:
        return json.loads(arguments)
    except ValueError:
        return {"raw": arguments}


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape(script, name):
    shape: Shape = SHAPES[name]
    answer = told(script, shape.written, shape.reason)
    message = answer["message"]
    assert message["content"] == shape.content
    assert message.get("thinking", "") == shape.reasoning
    calls = [call["function"] for call in message.get("tool_calls", ())]
    assert [(call["name"], call["arguments"]) for call in calls] == [
        (name, object_of(arguments)) for name, arguments in shape.calls
    ]
    assert [call["index"] for call in calls] == list(range(len(calls)))
    assert answer["done_reason"] == ("length" if shape.finish_reason == "length" else "stop")
    assert answer["eval_count"] > 0 and answer["prompt_eval_count"] == 1
    hidden = told(script, shape.written, shape.reason, think=False)["message"]
    assert "thinking" not in hidden and hidden["content"] == shape.content


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(TOKENS, st.sampled_from(["stop", "length"]))
def test_tokens_as_they_come(script, tokens, reason):
    assert told(script, tokens, reason)["done_reason"] in ("stop", "length")


def test_calls_without_ids_are_found_by_their_order(script):
    call = {"function": {"name": "weather", "arguments": {"city": "Paris"}}}
    history = [*ASK, {"role": "assistant", "content": "", "tool_calls": [call, call]},
               {"role": "tool", "content": "21"},
               {"role": "tool", "content": "22", "tool_name": "weather"}]  # fmt: skip
    turn = understand_chat(ChatBody(model="script", messages=history, tools=TOOLS), desk()).turn
    ids = [call["id"] for call in turn.messages[1]["tool_calls"]]
    assert [message["tool_call_id"] for message in turn.messages[2:]] == ids
    assert len(set(ids)) == 2 and turn.prepare(script, "").prompt_tokens > 0


def test_options(script):
    options = Options(num_predict=-1, temperature=0.5, repeat_penalty=1.1, seed=-1, stop=["x"])
    body = ChatBody(model="script", messages=ASK, options=options, think="high")
    turn = understand_chat(body, desk()).turn
    assert turn.sampling["max_tokens"] is None and turn.sampling["temperature"] == 0.5
    assert turn.sampling["repetition_penalty"] == 1.1 and turn.sampling["seed"] == 2**64 - 1
    assert turn.options["reasoning_effort"] == "high"
    assert turn.prepare(script, "").prompt_tokens > 0


@pytest.mark.parametrize(
    ("form", "understood"),
    [
        ("json", {"type": "json_object"}),
        ({"type": "object"}, {"type": "json_schema", "schema": {"type": "object"}}),
        ("", None),
        (None, None),
    ],
)
def test_forms(form, understood):
    body = ChatBody(model="script", messages=ASK, format=form)
    assert understand_chat(body, desk()).turn.options["response_format"] == understood


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (ChatBody(model="m", messages=ASK, format="xml"), "format"),
        (ChatBody(model="m", messages=ASK, options=Options(mirostat=1)), "mirostat"),
        (ChatBody(model="m", messages=[{"role": "user", "images": ["x"]}]), "images"),
    ],
)
def test_what_is_refused_of_a_chat(body, says):
    with pytest.raises(ApiError, match=says):
        understand_chat(body, desk())


@pytest.mark.parametrize("name", ["context", "images", "suffix", "template"])
def test_what_is_refused_of_a_prompt(name):
    with pytest.raises(ApiError, match=name):
        understand_generate(GenerateBody(model="m", prompt="Hi", **{name: [1]}), desk())


def test_streams_are_the_default():
    for stream, is_streamed in ((None, True), (True, True), (False, False)):
        body = ChatBody(model="m", messages=ASK, stream=stream)
        assert understand_chat(body, desk()).is_streamed is is_streamed


def test_places(script_server, script):
    raw = RawClient(script_server.url)
    assert raw.get("/api/tags").json()["models"][0]["name"] == "script:latest"
    shown = raw.post("/api/show", {"name": "script:latest"}).json()
    assert shown["capabilities"] and shown["model_info"]["general.architecture"] == "gpt_oss"
    assert raw.get("/api/version").json()["version"] and raw.get("/api/ps").json()["models"]
    assert isinstance(raw.get("/api/pull").json()["error"], str)
    for path in ("/api/show", "/api/chat", "/api/generate"):
        wrong = raw.post(path, {"model": "llama"})
        assert wrong.status == 404 and "llama" in wrong.json()["error"]
    loaded = raw.post("/api/chat", {"model": "script"})
    assert json.loads(loaded.text)["done_reason"] == "load"
    script.tell(f"{FINAL}Yes.<|return|>")
    lines = raw.post("/api/chat", {"model": "script", "messages": ASK}).text.splitlines()
    assert [json.loads(line)["done"] for line in lines] == [False] * (len(lines) - 1) + [True]
    raw.close()


@pytest.mark.slow
def test_its_own_client(script_server, script):
    ollama = pytest.importorskip("ollama")
    client = ollama.Client(host=script_server.url)
    assert [model.model for model in client.list().models] == ["script:latest"]
    assert client.show("script").capabilities and client.ps().models
    script.tell(CALLS)
    answer = client.chat("script", ASK, tools=TOOLS, options={"temperature": 0})
    (call,) = answer.message.tool_calls
    assert call.function.arguments == {"city": "Paris"} and answer.message.thinking == "Hm."
    history = [*ASK, answer.message, {"role": "tool", "tool_name": "weather", "content": "21"}]
    script.tell(f"{FINAL}It is.<|return|>")
    chunks = list(client.chat("script:latest", history, tools=TOOLS, stream=True))
    assert "".join(chunk.message.content for chunk in chunks) == "It is." and chunks[-1].done
    assert "Hm." in script.detokenize(script.asked[0].tokens)
    assert client.generate("script", "Hi", system="Be brief.").response == "It is."
    assert "Be brief." in script.detokenize(script.asked[-1].tokens)
    script.tell("It is.")
    raw = client.generate("script", "Hi", raw=True, logprobs=True)
    assert raw.response == "It is." and len(raw.logprobs) == raw.eval_count
    with pytest.raises(ollama.ResponseError, match="llama"):
        client.chat("llama", ASK)
    script.tell(f"{FINAL}It", error=RuntimeError("the disk is on fire"))
    with pytest.raises(ollama.ResponseError):
        list(client.chat("script", ASK, stream=True))
