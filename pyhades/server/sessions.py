"""What is remembered between requests, all of it bounded."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import msgspec

from pyhades.llm.text.chat import ToolCall
from pyhades.llm.text.chat_messages import reasoning_of
from pyhades.server.errors import ApiError

T = TypeVar("T")


class Bounded(Generic[T]):
    """A dict of the most recent things, each of which belongs to a client.

    Nobody finds what is somebody else's.

    Parameters
    ----------
    most
        Things that there can be.
    most_bytes
        Of all of them together; None for as many as there are.
    """

    def __init__(self, most: int, most_bytes: int | None = None) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._items: OrderedDict[tuple[str, str], tuple[T, int]] = OrderedDict()
        self.bytes = 0
        """Of what is remembered, as far as it was told."""

    def put(self, client: str, key: str, item: T, size: int = 0) -> None:
        """Remember something of so many bytes; what was used longest ago is forgotten for it."""
        self.pop(client, key)
        self._items[client, key] = item, size
        self.bytes += size
        while self._items and self._is_too_much():
            _, (_, freed) = self._items.popitem(last=False)
            self.bytes -= freed

    def get(self, client: str, key: str) -> T | None:
        """What is known under a key."""
        if (client, key) not in self._items:
            return None
        self._items.move_to_end((client, key))
        return self._items[client, key][0]

    def pop(self, client: str, key: str) -> T | None:
        """Forget something; what it was."""
        item, size = self._items.pop((client, key), (None, 0))
        self.bytes -= size
        return item

    def of(self, client: str) -> Iterator[T]:
        """What belongs to a client, the most recent first."""
        return (item for (owner, _), (item, _) in reversed(self._items.items()) if owner == client)

    def _is_too_much(self) -> bool:
        is_heavy = self._most_bytes is not None and self.bytes > self._most_bytes
        return is_heavy or len(self._items) > self._most

    def __len__(self) -> int:
        return len(self._items)


class OpenChains:
    """The reasoning that led to calls of tools, for clients that send calls back without it.

    The models go on better, and what was read is found again, where a chain of calls keeps its
    reasoning; but some clients drop what they do not know.

    Parameters
    ----------
    most
        Calls that are remembered.
    """

    def __init__(self, most: int) -> None:
        self._reasoning: Bounded[str] = Bounded(most)

    def remember(self, client: str, calls: Iterable[ToolCall], reasoning: str) -> None:
        """Calls, and what was thought before them."""
        if reasoning:
            for call in calls:
                self._reasoning.put(client, call.id, reasoning)

    def completed(
        self, client: str, messages: Sequence[Mapping[str, Any]]
    ) -> list[Mapping[str, Any]]:
        """Messages, those that call tools with the reasoning that led to it."""
        return [self._completed(client, message) for message in messages]

    def _completed(self, client: str, message: Mapping[str, Any]) -> Mapping[str, Any]:
        calls = message.get("tool_calls")
        if not isinstance(calls, list) or reasoning_of(message) is not None:
            return message
        for call in calls:
            if isinstance(call, Mapping):
                reasoning = self._reasoning.get(client, str(call.get("id")))
                if reasoning is not None:
                    return {**message, "reasoning": reasoning}
        return message


@dataclass(frozen=True)
class StoredResponse:
    """An answer that can be asked for, and gone on from.

    Attributes
    ----------
    response
        As its client has read it.
    asked
        The items that it answers, without those of the responses before it.
    events
        What its stream has told, where a client may follow it again.
    """

    response: Mapping[str, Any]
    asked: Sequence[Mapping[str, Any]]
    events: Sequence[bytes] | None = None

    @property
    def size(self) -> int:
        """Bytes that it takes, about."""
        texts = len(msgspec.json.encode([self.response, self.asked]))
        return texts + sum(map(len, self.events or ()))


class StoredResponses:
    """Responses by their ids.

    Parameters
    ----------
    most, most_bytes
        How many, and how much of them, are remembered.
    """

    def __init__(self, most: int, most_bytes: int | None = None) -> None:
        self._responses: Bounded[StoredResponse] = Bounded(most, most_bytes)

    def put(self, client: str, stored: StoredResponse) -> None:
        """Remember a response, or how it has gone on."""
        self._responses.put(client, stored.response["id"], stored, stored.size)

    def keep_events(self, client: str, identity: str, events: Sequence[bytes]) -> None:
        """Remember what the stream of a response has told, if the response is still known."""
        stored = self._responses.get(client, identity)
        if stored is not None:
            self.put(client, replace(stored, events=tuple(events)))

    def find(self, client: str, identity: str, param: str | None = None) -> StoredResponse:
        """The response with an id.

        Raises
        ------
        ApiError
            404: there is none, or it is somebody else's.
        """
        stored = self._responses.get(client, identity)
        if stored is None:
            raise ApiError(
                404, f"there is no response {identity!r} here (any more)",
                "previous_response_not_found" if param else "response_not_found", param,
            )  # fmt: skip
        return stored

    def pop(self, client: str, identity: str) -> None:
        """Forget a response."""
        self._responses.pop(client, identity)

    def history(self, client: str, identity: str) -> list[Mapping[str, Any]]:
        """All items up to the end of a response, those of the responses before it among them.

        Raises
        ------
        ApiError
            404: one of them is not there any more. 400: it has not come to an end.
        """
        name = "previous_response_id"
        turns: list[list[Mapping[str, Any]]] = []
        current: str | None = identity
        while current is not None:
            stored = self.find(client, current, name)
            status = stored.response["status"]
            if status not in ("completed", "incomplete"):
                raise ApiError(400, f"{name}: response {current!r} is {status}; nothing can go on "
                               "from it", "invalid_value", name)  # fmt: skip
            turns.append([*stored.asked, *stored.response["output"]])
            current = stored.response["previous_response_id"]
        return [item for turn in reversed(turns) for item in turn]

    def item(self, client: str, identity: str) -> Mapping[str, Any] | None:
        """An item of any response by its id; None where there is none."""
        for stored in self._responses.of(client):
            items: list[Mapping[str, Any]] = [*stored.asked, *stored.response["output"]]
            for item in items:
                if item.get("id") == identity:
                    return item
        return None

    def __len__(self) -> int:
        return len(self._responses)
