"""OpenAI's own client, as it is, at ``/v1/chat/completions`` and ``/v1/completions``."""

from __future__ import annotations

import openai
import pytest

THOUGHT = "<|channel|>analysis<|message|>Hm, warm.<|end|><|start|>assistant"
FINAL = "<|channel|>final<|message|>"
PREAMBLE = "<|channel|>commentary<|message|>Let me look.<|end|><|start|>assistant"
CALL = '<|channel|>commentary to=functions.weather <|constrain|>json<|message|>{"city": "Paris"}'
ASK = [{"role": "user", "content": "Is it warm?"}]
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }
]


@pytest.fixture(scope="module")
def client(script_server):
    with openai.OpenAI(base_url=f"{script_server.url}/v1", api_key="none", max_retries=0) as client:
        yield client


def test_an_answer_and_its_reasoning(client, script):
    script.tell(THOUGHT + FINAL + "It is.<|return|>")
    completion = client.chat.completions.create(model="script", messages=ASK)
    (choice,) = completion.choices
    assert choice.message.content == "It is." and choice.finish_reason == "stop"
    assert choice.message.reasoning == choice.message.reasoning_content == "Hm, warm."
    assert completion.usage.completion_tokens_details.reasoning_tokens > 0
    assert completion.usage.total_tokens == (
        completion.usage.prompt_tokens + completion.usage.completion_tokens
    )


def test_a_stream_adds_up_to_the_answer(client, script):
    script.tell(THOUGHT + PREAMBLE + CALL + "<|call|>")
    with client.chat.completions.stream(
        model="script", messages=ASK, tools=TOOLS, stream_options={"include_usage": True}
    ) as stream:
        for _ in stream:
            pass
        completion = stream.get_final_completion()
    (choice,) = completion.choices
    (call,) = choice.message.tool_calls
    assert choice.message.role == "assistant" and choice.message.content == "Let me look."
    assert choice.message.reasoning == "Hm, warm." and choice.finish_reason == "tool_calls"
    assert call.id.startswith("call_") and call.function.name == "weather"
    assert call.function.arguments == '{"city": "Paris"}'
    assert completion.usage.completion_tokens > 0


def test_usage_comes_last_and_only_where_it_is_asked_for(client, script):
    script.tell(FINAL + "It is.<|return|>")
    plain = list(client.chat.completions.create(model="script", messages=ASK, stream=True))
    assert all(chunk.usage is None and chunk.choices for chunk in plain)
    *others, last = client.chat.completions.create(
        model="script", messages=ASK, stream=True, stream_options={"include_usage": True}
    )
    assert all(chunk.usage is None for chunk in others)
    assert last.choices == [] and last.usage.completion_tokens > 0


def test_several_choices_are_told_apart(client, script):
    script.tell(FINAL + "One.<|return|>", FINAL + "Two.<|return|>")
    completion = client.chat.completions.create(model="script", messages=ASK, n=2)
    assert [choice.message.content for choice in completion.choices] == ["One.", "Two."]
    script.tell(FINAL + "One.<|return|>", FINAL + "Two.<|return|>")
    texts = ["", ""]
    for chunk in client.chat.completions.create(model="script", messages=ASK, n=2, stream=True):
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
    assert texts == ["One.", "Two."]


def test_logprobs_of_what_is_said(client, script):
    script.tell(THOUGHT + FINAL + "日 is.<|return|>")
    completion = client.chat.completions.create(
        model="script", messages=ASK, logprobs=True, top_logprobs=1
    )
    content = completion.choices[0].logprobs.content
    assert bytes(b for entry in content for b in entry.bytes).decode() == "日 is."
    assert all(len(entry.top_logprobs) == 1 for entry in content)
    told = []
    for chunk in client.chat.completions.create(
        model="script", messages=ASK, logprobs=True, top_logprobs=1, stream=True
    ):
        told += chunk.choices[0].logprobs.content if chunk.choices[0].logprobs else []
    assert told == content


def test_reasoning_of_a_chain_is_remembered_for_clients_that_drop_it(client, script):
    script.tell(THOUGHT + CALL + "<|call|>")
    first = client.chat.completions.create(model="script", messages=ASK, tools=TOOLS)
    message = first.choices[0].message
    call = {"id": message.tool_calls[0].id, "type": "function",
            "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}  # fmt: skip
    history = [
        *ASK,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call["id"], "content": "21"},
    ]
    script.tell(FINAL + "21.<|return|>")
    client.chat.completions.create(model="script", messages=history, tools=TOOLS)
    (asked,) = script.asked
    assert "Hm, warm." in script.detokenize(asked.tokens)


def test_completions(client, script):
    script.tell("One", "Two")
    completion = client.completions.create(
        model="script", prompt=["a", "b"], echo=True, max_tokens=5
    )
    assert [choice.text for choice in completion.choices] == ["aOne", "bTwo"]
    script.tell("One two")
    completion = client.completions.create(model="script", prompt="a", logprobs=1)
    logprobs = completion.choices[0].logprobs
    assert "".join(logprobs.tokens) == "One two" and logprobs.text_offset[0] == 0
    assert len(logprobs.tokens) == len(logprobs.token_logprobs) == len(logprobs.top_logprobs)
    script.tell("One two")
    chunks = client.completions.create(model="script", prompt="a", stream=True)
    assert "".join(chunk.choices[0].text for chunk in chunks) == "One two"


def test_errors_are_those_of_the_client(client, script):
    with pytest.raises(openai.NotFoundError) as unknown:
        client.chat.completions.create(model="gpt-4", messages=ASK)
    assert unknown.value.code == "model_not_found" and "script" in str(unknown.value)
    with pytest.raises(openai.BadRequestError) as long:
        client.completions.create(model="script", prompt=[1] * 100_000)
    assert long.value.code == "context_length_exceeded"
    with pytest.raises(openai.BadRequestError) as wrong:
        client.chat.completions.create(model="script", messages=ASK, temperature="warm")
    assert wrong.value.param == "temperature"
    script.tell(FINAL + "It", error=RuntimeError("the disk is on fire"))
    with pytest.raises(openai.APIError) as failed:
        list(client.chat.completions.create(model="script", messages=ASK, stream=True))
    assert "disk" not in str(failed.value)


def test_the_toy_writes_by_itself(toy_server):
    with openai.OpenAI(base_url=f"{toy_server.url}/v1", api_key="none") as client:
        assert [model.id for model in client.models.list()] == ["toy"]
        completion = client.chat.completions.create(
            model="toy", messages=ASK, max_tokens=30, temperature=0, seed=-1
        )
        again = client.chat.completions.create(
            model="toy", messages=ASK, max_tokens=30, temperature=0, stream=True
        )
        texts = [chunk.choices[0].delta.content or "" for chunk in again if chunk.choices]
    assert "".join(texts) == completion.choices[0].message.content
    assert completion.usage.completion_tokens == 30
