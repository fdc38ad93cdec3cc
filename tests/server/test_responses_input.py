"""Items of ``/v1/responses`` as messages of a conversation, without a server."""

from __future__ import annotations

import pytest

from pyhades.server.errors import ApiError
from pyhades.server.protocol.responses import ResponsesBody, understand
from pyhades.server.protocol.sealing import sealed, unsealed
from tests.support.desks import desk

THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": [],
           "content": [{"type": "reasoning_text", "text": "Hm."}]}  # fmt: skip
PREAMBLE = {
    "type": "message", "role": "assistant", "phase": "commentary", "status": None,
    "content": [{"type": "output_text", "text": "Let me look.", "annotations": []}],
}  # fmt: skip
CALL = {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": "{}"}
RESULT = {"type": "function_call_output", "call_id": "call_1", "output": "21"}
ASKED = {"role": "user", "content": "Is it warm?"}
TOLD_CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
TOLD_RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "21"}


def messages(items, at=None, **body):
    call = understand(ResponsesBody(input=items, **body), at or desk())
    return list(call.turn.messages)


def test_a_string_is_what_the_user_says():
    assert messages("Hi") == [{"role": "user", "content": "Hi"}]


@pytest.mark.parametrize("kind", ["input_text", "output_text", "text"])
def test_parts_of_text(kind):
    parts = [{"type": kind, "text": "Is it "}, {"type": kind, "text": "warm?"}]
    for role in ("user", "system", "developer", "assistant"):
        (message,) = messages([{"role": role, "content": parts, "type": "message"}])
        assert message == {"role": role, "content": "Is it warm?"}


def test_a_chain_of_calls_is_one_message_with_its_reasoning():
    told = messages([ASKED, THOUGHT, PREAMBLE, CALL, RESULT])
    answer = {"role": "assistant", "content": "Let me look.", "reasoning": "Hm.",
              "tool_calls": [TOLD_CALL]}  # fmt: skip
    assert told == [ASKED, answer, TOLD_RESULT]


def test_answers_and_thoughts_after_them_are_messages_of_their_own():
    final = {**PREAMBLE, "phase": "final_answer"}
    told = messages([ASKED, final, THOUGHT, CALL, THOUGHT, {**CALL, "call_id": "call_2"}])
    assert [message.get("content") for message in told] == [
        "Is it warm?", "Let me look.", None, None
    ]  # fmt: skip
    assert [len(message.get("tool_calls", ())) for message in told] == [0, 0, 1, 1]


def test_results_in_parts():
    parts = [{"type": "input_text", "text": "2"}, {"type": "input_text", "text": "1"}]
    assert messages([CALL, {**RESULT, "output": parts}])[-1] == TOLD_RESULT


def test_a_summary_stands_in_for_reasoning():
    summary = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]}
    assert messages([summary, CALL])[0]["reasoning"] == "Hm."


def test_reasoning_is_restored_from_what_was_sealed():
    at = desk()
    thought = {"type": "reasoning", "summary": [], "encrypted_content": sealed("Hm.", at)}
    assert messages([thought, CALL], at)[0]["reasoning"] == "Hm."


def test_what_is_sealed_cannot_be_made_up():
    whole = sealed("Hm.", desk())
    assert unsealed(whole, desk()) == "Hm."
    assert unsealed(whole, desk("mallory")) is None
    mark, content, signature = whole.split(".")
    other = sealed("Ha.", desk()).split(".")[1]
    for forged in (f"{mark}.{other}.{signature}", f"{mark}.{content}.x", f"{mark}.%.{signature}",
                   f"x.{content}.{signature}", "", "ph1", "ph1.é.é", None, 7):  # fmt: skip
        assert unsealed(forged, desk()) is None
    thought = {"type": "reasoning", "summary": [], "encrypted_content": f"{mark}.{other}.x"}
    assert "reasoning" not in messages([thought, CALL])[0]


def test_reasoning_that_a_client_has_dropped_is_remembered():
    at = desk()
    at.chains.remember("alice", ["call_1"], "Hm.")
    assert messages([CALL], at)[0]["reasoning"] == "Hm."
    assert "reasoning" not in messages([CALL], desk("bob", chains=at.chains))[0]


@pytest.mark.parametrize(
    ("items", "param", "says"),
    [
        ([{"type": "web_search_call"}], "input[0]", "web_search_call"),
        ([{"type": ["message"], "role": "user", "content": ""}], "input[0]", "message"),
        ([{"role": "user", "content": [{"type": {}}]}], "input[0].content[0]", "{}"),
        ([{"role": "robot", "content": ""}], "input[0]", "robot"),
        ([{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}],
         "input[0].content[0]", "input_image"),
        ([{"role": "user", "content": [{"type": "input_file", "file_id": "x"}]}],
         "input[0].content[0]", "input_file"),
        ([{"role": "user", "content": 7}], "input[0].content", "7"),
        ([{"role": "user"}], "input[0].content", "None"),
        ([RESULT], "input[0].call_id", "call_1"),
        ([{**CALL, "call_id": None}], "input[0].call_id", "call_id"),
        ([{**CALL, "name": 7}], "input[0].name", "name"),
        ([{"type": "item_reference", "id": "msg_7"}], "input[0]", "msg_7"),
        ([{}], "input[0]", "None"),
    ],
)  # fmt: skip
def test_what_is_no_item(items, param, says):
    with pytest.raises(ApiError, match=says) as wrong:
        messages(items)
    assert wrong.value.param == param and wrong.value.status in (400, 404)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"truncation": "auto"}, "truncation"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"background": True, "store": False}, "background"),
        ({"tool_choice": {"type": "web_search"}}, "tool_choice"),
        ({"previous_response_id": "resp_7"}, "previous_response_id"),
        ({"top_logprobs": 21}, "top_logprobs"),
    ],
)
def test_what_is_refused(body, param):
    with pytest.raises(ApiError) as wrong:
        messages("Hi", **body)
    assert wrong.value.param == param


FUNCTION = {"type": "function", "name": "weather", "parameters": {"type": "object"}}


@pytest.mark.parametrize(
    ("choice", "understood"),
    [
        (None, None),
        ("required", "required"),
        ({"type": "function", "name": "weather"}, {"type": "function", "name": "weather"}),
        ({"type": "allowed_tools", "mode": "auto", "tools": [{"type": "web_search"}]}, "none"),
        ({"type": "allowed_tools", "mode": "required",
          "tools": [{"type": "web_search"}, {"type": "function", "name": "weather"}]},
         {"type": "allowed_tools", "mode": "required",
          "tools": [{"type": "function", "name": "weather"}]}),
    ],
)  # fmt: skip
def test_choices_among_tools(script, choice, understood):
    body = ResponsesBody(input="Hi", tools=[{"type": "web_search"}, FUNCTION], tool_choice=choice)
    call = understand(body, desk())
    assert call.turn.options["tool_choice"] == understood
    assert call.turn.options["tools"] == [FUNCTION]
    assert call.turn.prepare(script, "").prompt_tokens > 0
