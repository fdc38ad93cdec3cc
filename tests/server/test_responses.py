"""OpenAI's own client, as it is, at ``/v1/responses``."""

from __future__ import annotations

import re

import httpx
import openai
import pydantic
import pytest

from pyhades.server.settings import Settings, api_key
from tests.support.served import served, until

THOUGHT = "<|channel|>analysis<|message|>Hm, warm.<|end|><|start|>assistant"
FINAL = "<|channel|>final<|message|>"
PREAMBLE = "<|channel|>commentary<|message|>Let me look.<|end|><|start|>assistant"
CALL = '<|channel|>commentary to=functions.weather <|constrain|>json<|message|>{"city": "Paris"}'
TOOLS = [
    {
        "type": "function", "name": "weather", "strict": False,
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    }
]  # fmt: skip


@pytest.fixture(scope="module")
def client(script_server):
    with openai.OpenAI(base_url=f"{script_server.url}/v1", api_key="none", max_retries=0) as client:
        yield client


def asked_of(script) -> str:
    """The prompt of the last request."""
    return script.detokenize(script.asked[-1].tokens)


def test_an_answer_and_its_reasoning(client, script):
    script.tell(THOUGHT + FINAL + "It is.<|return|>")
    response = client.responses.create(model="script", input="Is it warm?", instructions="Hi!")
    reasoning, message = response.output
    assert response.output_text == "It is." and message.phase == "final_answer"
    assert reasoning.content[0].text == "Hm, warm." and reasoning.summary == []
    assert response.status == "completed" and response.usage.output_tokens_details.reasoning_tokens
    assert "Hi!" in asked_of(script) and "Is it warm?" in asked_of(script)


def test_the_helper_for_streams(client, script):
    script.tell(THOUGHT + PREAMBLE + CALL + "<|call|>")
    with client.responses.stream(model="script", input="Is it warm?", tools=TOOLS) as stream:
        kinds = [event.type for event in stream]
        response = stream.get_final_response()
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] == "response.completed"
    assert [item.type for item in response.output] == ["reasoning", "message", "function_call"]
    assert response.output[2].name == "weather"
    assert response.output[2].arguments == '{"city": "Paris"}'
    assert response.output_text == "Let me look."


class Weather(pydantic.BaseModel):
    city: str
    degrees: int


def test_an_answer_of_a_form(client, script):
    script.tell(FINAL + '{"city": "Paris", "degrees": 21}<|return|>')
    response = client.responses.parse(model="script", input="Is it warm?", text_format=Weather)
    assert response.output_parsed == Weather(city="Paris", degrees=21)
    assert "degrees" in asked_of(script)


def test_an_answer_that_is_cut_off(client, script):
    script.tell(FINAL + "It", reason="length")
    response = client.responses.create(model="script", input="Hi", max_output_tokens=16)
    assert response.status == "incomplete"
    assert response.incomplete_details.reason == "max_output_tokens"


def test_a_conversation_that_the_server_remembers(client, script):
    script.tell(THOUGHT + CALL + "<|call|>")
    first = client.responses.create(model="script", input="Is it warm?", tools=TOOLS)
    script.tell(THOUGHT.replace("warm", "21") + FINAL + "It is.<|return|>")
    result = {"type": "function_call_output", "call_id": first.output[-1].call_id, "output": "21"}
    second = client.responses.create(
        model="script", input=[result], tools=TOOLS, previous_response_id=first.id
    )
    text = asked_of(script)
    assert text.index("Is it warm?") < text.index("Hm, warm.") < text.index('{"city": "Paris"}')
    script.tell(FINAL + "Yes.<|return|>")
    third = client.responses.create(
        model="script", input="Sure?", previous_response_id=second.id, tools=TOOLS
    )
    text = asked_of(script)
    assert "It is." in text and "Hm," not in text  # what was thought before an answer is left out
    assert third.previous_response_id == second.id


def test_a_conversation_that_the_client_carries(client, script):
    script.tell(THOUGHT + CALL + "<|call|>")
    first = client.responses.create(
        model="script", input="Is it warm?", tools=TOOLS, store=False,
        include=["reasoning.encrypted_content"],
    )  # fmt: skip
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(first.id)
    items = [item.to_dict() for item in first.output]
    items[0].pop("content")
    result = {"type": "function_call_output", "call_id": items[-1]["call_id"], "output": "21"}
    script.tell(FINAL + "It is.<|return|>")
    asked = {"role": "user", "content": "Is it warm?"}
    client.responses.create(model="script", input=[asked, *items, result], tools=TOOLS)
    assert "Hm, warm." in asked_of(script)


def test_responses_are_kept_and_forgotten(client, script):
    script.tell(THOUGHT + FINAL + "It is.<|return|>")
    items = [{"role": "user", "content": text} for text in ("One", "Two", "Three")]
    response = client.responses.create(model="script", input=items)
    assert client.responses.retrieve(response.id) == response
    listed = list(client.responses.input_items.list(response.id, order="asc", limit=2))
    assert [item.content[0].text for item in listed] == ["One", "Two", "Three"]  # over two pages
    reference = {"type": "item_reference", "id": response.output[-1].id}
    client.responses.create(model="script", input=[reference, items[0]])
    assert "It is." in asked_of(script)
    client.responses.delete(response.id)
    for ask in (client.responses.retrieve, client.responses.delete, client.responses.cancel):
        with pytest.raises(openai.NotFoundError):
            ask(response.id)
    with pytest.raises(openai.NotFoundError) as gone:
        client.responses.create(model="script", input="Hi", previous_response_id=response.id)
    assert gone.value.code == "previous_response_not_found"


def test_prompts_are_counted(client, script):
    script.tell(FINAL + "It is.<|return|>")
    counted = client.responses.input_tokens.count(model="script", input="Is it warm?")
    response = client.responses.create(model="script", input="Is it warm?")
    assert counted.input_tokens == response.usage.input_tokens


def _written(server) -> int:
    """Tokens of all answers so far, as the metrics tell."""
    text = httpx.get(f"{server.url}/metrics").text
    (found,) = re.findall(r"vllm:generation_tokens_total\{.*\} ([\d.]+)", text)
    return int(float(found))


def test_an_answer_goes_on_without_its_client(client, script, script_server):
    before = _written(script_server)
    script.tell(FINAL + "It is.<|return|>", seconds=0.002)
    response = client.responses.create(model="script", input="Hi", background=True)
    assert response.status == "queued" and response.output == []
    until(lambda: client.responses.retrieve(response.id).status == "completed")
    response = client.responses.retrieve(response.id)
    assert response.output_text == "It is."
    until(lambda: script_server.service.admission.requests == 0)
    assert _written(script_server) == before + response.usage.output_tokens
    with pytest.raises(openai.BadRequestError):
        client.responses.retrieve(response.id, stream=True)


def test_a_stream_is_followed_again(client, script):
    script.tell(FINAL + "It is. " * 20 + "<|return|>", seconds=0.002)
    stream = client.responses.create(model="script", input="Hi", background=True, stream=True)
    seen = [next(stream) for _ in range(8)]
    stream.close()
    identity = seen[0].response.id
    for _ in range(2):  # while it goes on, and after its end
        rest = list(
            client.responses.retrieve(
                identity, stream=True, starting_after=seen[-1].sequence_number
            )
        )
        numbers = [event.sequence_number for event in [*seen, *rest]]
        assert numbers == list(range(len(numbers))) and rest[-1].type == "response.completed"
    assert rest[-1].response.output_text == "It is. " * 20


@pytest.mark.parametrize("ask", ["cancel", "delete"])
def test_an_answer_is_cancelled(client, script, script_server, ask):
    script.tell(FINAL + "word " * 2000 + "<|return|>", seconds=0.001)
    response = client.responses.create(model="script", input="Hi", background=True)
    until(lambda: script.scripts and script.scripts[0].told > 20)
    assert client.responses.retrieve(response.id).status == "in_progress"
    with pytest.raises(openai.BadRequestError):
        client.responses.retrieve(response.id, stream=True)
    with pytest.raises(openai.BadRequestError, match="in_progress"):
        client.responses.create(model="script", input="Hi", previous_response_id=response.id)
    answer = getattr(client.responses, ask)(response.id)
    assert script.scripts[0].is_closed and script.scripts[0].told < 1500
    assert script_server.service.admission.requests == 0 and not len(script_server.service.runs)
    if ask == "delete":
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(response.id)
    else:
        assert answer.status == client.responses.retrieve(response.id).status == "cancelled"
        assert client.responses.cancel(response.id).status == "cancelled"


def test_only_answers_in_the_background_can_be_cancelled(client, script):
    script.tell(FINAL + "It is.<|return|>")
    response = client.responses.create(model="script", input="Hi")
    with pytest.raises(openai.BadRequestError, match="background"):
        client.responses.cancel(response.id)


def test_an_error_in_the_middle(client, script):
    script.tell(FINAL + "It", error=RuntimeError("the disk is on fire"))
    events = list(client.responses.create(model="script", input="Hi", stream=True))
    assert events[-1].type == "response.failed" and events[-1].response.error
    assert "disk" not in events[-1].response.error.message
    response = client.responses.create(model="script", input="Hi", background=True)
    until(lambda: client.responses.retrieve(response.id).status == "failed")


def test_nobody_finds_what_is_somebody_elses(script):
    secrets = ("alice-0123456789abc", "bob-0123456789abcdef")
    keys = tuple(api_key(secret, secret[:3], b"s") for secret in secrets)
    with served(script, Settings(api_keys=keys, max_stored=2)) as server:
        alice, bob = (
            openai.OpenAI(base_url=f"{server.url}/v1", api_key=secret, max_retries=0)
            for secret in secrets
        )
        script.tell(FINAL + "It is.<|return|>")
        responses = [alice.responses.create(model="script", input="Hi") for _ in range(3)]
        assert alice.responses.retrieve(responses[2].id).output_text == "It is."
        with pytest.raises(openai.NotFoundError):
            bob.responses.retrieve(responses[2].id)
        with pytest.raises(openai.NotFoundError):
            bob.responses.create(input="Hi", previous_response_id=responses[2].id)
        with pytest.raises(openai.NotFoundError):  # there were two after it
            alice.responses.retrieve(responses[0].id)


def test_the_toy_writes_by_itself(toy_server):
    with openai.OpenAI(base_url=f"{toy_server.url}/v1", api_key="none") as client:
        fields = {"model": "toy", "input": "Is it warm?", "max_output_tokens": 30,
                  "temperature": 0}  # fmt: skip
        response = client.responses.create(**fields)
        *_, last = client.responses.create(**fields, stream=True)
    assert response.usage.output_tokens == 30 and response.status == "incomplete"
    assert last.type == "response.incomplete"
    texts = [
        [part.text for item in each.output if item.type != "function_call" for part in item.content]
        for each in (response, last.response)
    ]
    assert texts[0] == texts[1]
