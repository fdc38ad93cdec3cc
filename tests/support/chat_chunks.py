"""The chunks of a chat, added up as clients of OpenAI's API do it: strictly."""

from __future__ import annotations

from typing import Any

Told = dict[str, Any]
"""Of one choice: content, reasoning, calls as pairs of name and arguments, finish_reason."""


def added_up(events: list[Any]) -> dict[int, Told]:
    """What chunks tell, by choice; AssertionError where a client would stumble."""
    assert events[-1] == "[DONE]" and events.count("[DONE]") == 1
    choices: dict[int, Told] = {}
    heads = set()
    for chunk in events[:-1]:
        assert "error" not in chunk, chunk
        heads.add((chunk["id"], chunk["object"], chunk["created"], chunk["model"]))
        for part in chunk["choices"]:
            _add(choices, part)
    assert len(heads) == 1
    for told in choices.values():
        assert told["finish_reason"] is not None
        told["calls"] = [(call["name"], call["arguments"]) for call in told["calls"]]
    return choices


def _add(choices: dict[int, Told], part: Told) -> None:
    told, delta = choices.get(part["index"]), part["delta"]
    if told is None:
        assert delta["role"] == "assistant"
        told = {"content": "", "reasoning": "", "calls": [], "ids": [], "finish_reason": None}
        choices[part["index"]] = told
    else:
        assert "role" not in delta
    assert told["finish_reason"] is None, "a choice goes on after its end"
    told["content"] += delta.get("content") or ""
    told["reasoning"] += delta.get("reasoning") or ""
    assert delta.get("reasoning") == delta.get("reasoning_content")
    for call in delta.get("tool_calls", ()):
        _add_call(told, call)
    told["finish_reason"] = part["finish_reason"]


def _add_call(told: Told, call: Told) -> None:
    if call["index"] == len(told["calls"]):
        assert call["type"] == "function" and call["function"]["arguments"] == ""
        told["calls"].append({"name": call["function"]["name"], "arguments": ""})
        told["ids"].append(call["id"])
        return
    assert call.keys() == {"index", "function"} and call["function"].keys() == {"arguments"}
    told["calls"][call["index"]]["arguments"] += call["function"]["arguments"]


def whole(completion: Told) -> dict[int, Told]:
    """What an answer that came at once tells, in the same shape."""
    return {choice["index"]: _of_message(choice) for choice in completion["choices"]}


def _of_message(choice: Told) -> Told:
    message = choice["message"]
    calls = message.get("tool_calls", [])
    assert message["role"] == "assistant" and message["refusal"] is None
    assert isinstance(message["content"], str) or calls, "null is for calls only"
    assert message.get("reasoning") == message.get("reasoning_content")
    return {
        "content": message["content"] or "",
        "reasoning": message.get("reasoning", ""),
        "calls": [(call["function"]["name"], call["function"]["arguments"]) for call in calls],
        "ids": [call["id"] for call in calls],
        "finish_reason": choice["finish_reason"],
    }


def without_ids(choices: dict[int, Told]) -> dict[int, Told]:
    """To compare two answers; ids of calls are new each time, and each is another."""
    for told in choices.values():
        assert len(set(told["ids"])) == len(told["ids"]) == len(told["calls"])
        assert all(id.startswith("call_") for id in told["ids"])
    return {
        index: {name: value for name, value in told.items() if name != "ids"}
        for index, told in choices.items()
    }
