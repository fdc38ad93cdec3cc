"""The events of ``/v1/responses``, added up as clients do it: strictly."""

from __future__ import annotations

import copy
from typing import Any

Item = dict[str, Any]
_ENDS = ("completed", "incomplete", "failed")


def added_up(events: list[dict[str, Any]]) -> dict[str, Any]:
    """The response that events tell of; AssertionError where a client would stumble."""
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    names = [event["type"].removeprefix("response.") for event in events]
    assert names[0] == "created" and events[0]["response"]["output"] == []
    ends = [name for name in names if name in _ENDS]
    assert len(ends) == 1 and names[-1] == ends[0]
    output = _Output()
    for name, event in zip(names, events, strict=True):
        if name not in ("created", "queued", "in_progress", *_ENDS):
            output.take(name, copy.deepcopy(event))
    response = events[-1]["response"]
    if ends[0] != "failed":
        assert output.is_closed
        assert response["status"] == ends[0]
        assert output.items == response["output"]
    return response


class _Output:
    """The items so far, of which the last may be open."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.is_closed = True
        self._part: Item | None = None
        self._is_done = False

    def take(self, name: str, event: dict[str, Any]) -> None:
        if name == "output_item.added":
            self._added(event)
            return
        assert event["output_index"] == len(self.items) - 1 and not self.is_closed
        if name == "output_item.done":
            self._done(event["item"])
            return
        item = self.items[-1]
        assert event["item_id"] == item["id"]
        if item["type"] == "function_call":
            self._argument(item, name, event)
        else:
            self._part_event(item, name, event)

    def _added(self, event: dict[str, Any]) -> None:
        item = event["item"]
        assert self.is_closed and event["output_index"] == len(self.items)
        assert item["status"] == "in_progress"
        assert item["arguments"] == "" if item["type"] == "function_call" else item["content"] == []
        self.items.append(item)
        self.is_closed, self._is_done, self._part = False, False, None

    def _done(self, item: Item) -> None:
        told = self.items[-1]
        assert self._is_done and item["status"] in ("completed", "incomplete")
        assert {**told, "status": item["status"], "encrypted_content": ""} == {
            **item, "encrypted_content": ""
        }  # fmt: skip
        self.items[-1] = item
        self.is_closed = True

    def _argument(self, item: Item, name: str, event: dict[str, Any]) -> None:
        assert not self._is_done
        if name == "function_call_arguments.delta":
            assert event["delta"]
            item["arguments"] += event["delta"]
            return
        assert name == "function_call_arguments.done"
        assert (event["name"], event["arguments"]) == (item["name"], item["arguments"])
        self._is_done = True

    def _part_event(self, item: Item, name: str, event: dict[str, Any]) -> None:
        kind = "reasoning_text" if item["type"] == "reasoning" else "output_text"
        assert event["content_index"] == 0
        if name == "content_part.added":
            assert self._part is None and event["part"]["text"] == ""
            self._part = event["part"]
            assert self._part["type"] == kind
            item["content"].append(self._part)
        elif name == f"{kind}.delta":
            assert event["delta"] and "done" not in self._part
            self._part["text"] += event["delta"]
            if kind == "output_text":
                self._part["logprobs"] += event["logprobs"]
        elif name == f"{kind}.done":
            assert event["text"] == self._part["text"]
            self._part["done"] = True
        else:
            assert name == "content_part.done" and self._part.pop("done")
            assert event["part"] == self._part
            self._is_done = True
