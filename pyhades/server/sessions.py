"""What is remembered between requests, all of it bounded."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from pyhades.llm.text.chat import ToolCall
from pyhades.llm.text.chat_messages import reasoning_of

T = TypeVar("T")


class Bounded(Generic[T]):
    """A dict of the most recent things, each of which belongs to a client.

    Nobody finds what is somebody else's.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._items: OrderedDict[tuple[str, str], T] = OrderedDict()

    def put(self, client: str, key: str, item: T) -> None:
        """Remember something; what was used longest ago is forgotten for it."""
        self._items[client, key] = item
        self._items.move_to_end((client, key))
        while len(self._items) > self._most:
            self._items.popitem(last=False)

    def get(self, client: str, key: str) -> T | None:
        """What is known under a key."""
        item = self._items.get((client, key))
        if item is not None:
            self._items.move_to_end((client, key))
        return item

    def pop(self, client: str, key: str) -> T | None:
        """Forget something; what it was."""
        return self._items.pop((client, key), None)

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
