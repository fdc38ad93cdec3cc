"""What is remembered between requests, all of it bounded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from pyhades.llm.text.bounded import Bounded
from pyhades.llm.text.chat_messages import reasoning_of
from pyhades.llm.text.recall import Recall, ids_of
from pyhades.llm.text.written import Written
from pyhades.server.errors import ApiError


class OpenChains:
    """What the model wrote and thought when it called tools, for when the calls come back.

    The models go on better, and what was read is found again, where a chain of calls keeps its
    reasoning and its tokens; but some clients drop what they do not know, and spell JSON anew.

    Parameters
    ----------
    most
        Calls that are remembered.
    most_bytes
        Memory for what was written.
    """

    def __init__(self, most: int, most_bytes: int = 64 << 20) -> None:
        self._reasoning: Bounded[str] = Bounded(most, most_bytes)
        self._written = Recall(most, most_bytes)

    def remember(
        self, client: str, ids: Iterable[str], reasoning: str, written: Written | None = None
    ) -> None:
        """An answer by the ids of its calls, and of its messages where clients name them."""
        ids = list(ids)
        if reasoning:
            for identity in ids:
                self._reasoning.put(client, identity, reasoning, len(reasoning))
        self._written.remember(client, ids, written)

    def knows(self, client: str, identity: object) -> bool:
        """Whether it is known what was written under an id."""
        return self._written.knows(client, identity)

    def completed(
        self, client: str, messages: Sequence[Mapping[str, Any]]
    ) -> list[Mapping[str, Any]]:
        """Messages, those that call tools with the reasoning that led to it.

        They know their tokens, which are used where they still mean the same.
        """
        known = [self._completed(client, message) for message in messages]
        recalled: list[Mapping[str, Any]] = self._written.recalled(client, known)
        return recalled

    def _completed(self, client: str, message: Mapping[str, Any]) -> Mapping[str, Any]:
        if not isinstance(message.get("tool_calls"), list) or reasoning_of(message) is not None:
            return message
        known = (self._reasoning.get(client, identity) for identity in ids_of(message))
        reasoning = next(filter(None, known), None)
        return message if reasoning is None else {**message, "reasoning": reasoning}


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
