"""What the model wrote, recalled when it comes back as history.

Clients send answers back as text and JSON, which they may have spelled anew. Cut into tokens again
they need not be what the model wrote, and nothing after the first difference is found among what
was read. So answers are remembered as tokens, under the ids of their calls and messages, and used
wherever a message still means the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pyhades.llm.text.bounded import Bounded
from pyhades.llm.text.chat_messages import Given, called_function, calls_of, reasoning_of, text_of
from pyhades.llm.text.tools import as_mapping
from pyhades.llm.text.written import Written, WrittenMessage

MOST = 4096
"""Calls and messages that are remembered."""
MOST_BYTES = 64 << 20


class Recall:
    """Answers by the ids of their calls and messages, of which it knows the latest.

    Parameters
    ----------
    most, most_bytes
        How many ids, and how much memory.
    """

    def __init__(self, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        self._written: Bounded[Written] = Bounded(most, most_bytes)

    def remember(self, client: str, ids: Iterable[str], written: Written | None) -> None:
        """An answer, under each of some ids; None is one that is not worth it."""
        if written is not None:
            for identity in ids:
                self._written.put(client, identity, written, written.nbytes)

    def knows(self, client: str, identity: object) -> bool:
        """Whether there is an answer under an id."""
        return isinstance(identity, str) and self._written.get(client, identity) is not None

    def recalled(self, client: str, messages: Any) -> Any:
        """Messages, those that are known with their tokens; what is no list stays as it is."""
        if not isinstance(messages, list | tuple):
            return messages
        return [self._recalled(client, message) for message in messages]

    def _recalled(self, client: str, given: Any) -> Any:
        message = as_mapping(given)
        if not isinstance(message, Mapping) or isinstance(message, WrittenMessage):
            return given
        known = (self._written.get(client, identity) for identity in ids_of(message))
        written = next(filter(None, known), None)
        return given if written is None else WrittenMessage(message, written)

    def __len__(self) -> int:
        return len(self._written)


def ids_of(message: Given) -> Iterator[str]:
    """The ids of a message's calls, and its own."""
    calls = message.get("tool_calls")
    for call in map(as_mapping, calls if isinstance(calls, list | tuple) else ()):
        if isinstance(call, Mapping) and isinstance(call.get("id"), str):
            yield call["id"]
    if isinstance(message.get("id"), str):
        yield message["id"]


def tokens_of(message: Given, number: int, *, keeps_reasoning: bool) -> tuple[int, ...] | None:
    """The tokens of a message of the assistant; None where it has to be rendered.

    That is where they are not known, where the message says something else than they do, and where
    reasoning is among them that is told no more.

    Parameters
    ----------
    message
        One that may know its tokens.
    number
        Its place in the conversation, for messages.
    keeps_reasoning
        Whether its reasoning is told.
    """
    written = message.written if isinstance(message, WrittenMessage) else None
    if written is None or (written.has_reasoning and not keeps_reasoning):
        return None
    return written.tokens if _means_the_same(message, written.message, number) else None


def _means_the_same(message: Given, other: Given, number: int) -> bool:
    """Whether reasoning and content are equal texts, and calls equal as JSON."""
    texts = [
        (text_of(each, number), text_of({"content": reasoning_of(each)}, number))
        for each in (message, other)
    ]
    calls = [
        [called_function(call, f"messages[{number}]")[:2] for call in calls_of(each, number)]
        for each in (message, other)
    ]
    return texts[0] == texts[1] and len(calls[0]) == len(calls[1]) and all(
        name == other_name and same_arguments(arguments, other_arguments)
        for (name, arguments), (other_name, other_arguments) in zip(*calls, strict=True)
    )  # fmt: skip


def same_arguments(given: Any, other: Any) -> bool:
    """Whether two calls have equal arguments, as text or as what the text is JSON of.

    Examples
    --------
    >>> same_arguments('{"a": 1, "b": [true]}', {"b": [True], "a": 1.0})
    True
    >>> same_arguments('{"a": 1}', '{"a": true}'), same_arguments("not JSON", "no JSON")
    (False, False)
    """
    if isinstance(given, str) and given == other:
        return True
    try:
        return _same_json(_parsed(given), _parsed(other))
    except (ValueError, RecursionError):
        return False


def _parsed(arguments: Any) -> Any:
    """Their JSON; no arguments are an empty object."""
    if arguments is None or (isinstance(arguments, str) and not arguments.strip()):
        return {}
    return json.loads(arguments) if isinstance(arguments, str) else arguments


def _same_json(one: Any, other: Any) -> bool:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same_json(one[k], other[k]) for k in one)
    if _is_list(one) and _is_list(other):
        return len(one) == len(other) and all(map(_same_json, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)
