"""What a request asks of the model, whatever protocol it came in."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from pyhades.llm import LLM, ChatDelta, Delta, SamplingParams
from pyhades.llm.requests.prepared import PreparedChat, PreparedTexts

P_co = TypeVar("P_co", covariant=True)
Piece = ChatDelta | Delta


class Prepared(Protocol[P_co]):
    """A turn as tokens: how long it is, and what comes once the model is asked."""

    prompt_tokens: int

    def __aiter__(self) -> AsyncGenerator[P_co, None]: ...


@dataclass(frozen=True, kw_only=True)
class ChatTurn:
    """The next message of a conversation.

    Attributes
    ----------
    messages
        As :meth:`pyhades.LLM.chat` takes them.
    sampling
        Fields of :class:`pyhades.SamplingParams`; None is the default.
    options
        Other keywords of :meth:`pyhades.LLM.chat`.
    """

    messages: Sequence[Mapping[str, Any]]
    sampling: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    def prepare(self, llm: LLM, client: str) -> PreparedChat:
        """Checked, and as tokens. May take a second, where a schema has to be compiled."""
        return llm.prepare_chat(self.messages, self._params(), client=client, **self.options)

    def _params(self) -> SamplingParams:
        return SamplingParams(**self.sampling)


@dataclass(frozen=True, kw_only=True)
class TextTurn:
    """What follows prompts, as it is.

    Attributes
    ----------
    prompts
        Text, token ids, or a list of either.
    sampling
        As in :class:`ChatTurn`.
    """

    prompts: Any
    sampling: Mapping[str, Any] = field(default_factory=dict)

    def prepare(self, llm: LLM, client: str) -> PreparedTexts:
        """Checked, and as tokens."""
        return llm.prepare(self.prompts, SamplingParams(**self.sampling), client=client)


@dataclass(frozen=True)
class NoTurn:
    """Nothing is asked: some clients want to know whether there would be an answer."""

    sampling: Mapping[str, Any] = field(default_factory=dict)
    prompt_tokens = 0

    def prepare(self, llm: LLM, client: str) -> NoTurn:
        """Itself: there is nothing to prepare."""
        return self

    async def __aiter__(self) -> AsyncGenerator[Piece, None]:
        nothing: tuple[Piece, ...] = ()
        for piece in nothing:
            yield piece


Turn = ChatTurn | TextTurn | NoTurn


def schemas_of(turn: Turn) -> list[Any]:
    """The JSON schemas that come with a turn."""
    if not isinstance(turn, ChatTurn):
        return []
    schemas = [turn.options.get("response_format")]
    return [*schemas, *(turn.options.get("tools") or ())]


def choices_of(turn: Turn) -> int:
    """How many answers it asks for."""
    n = turn.sampling.get("n") or 1
    if isinstance(turn, TextTurn) and isinstance(turn.prompts, list) and turn.prompts:
        is_one = all(isinstance(item, int) for item in turn.prompts)
        return int(n) * (1 if is_one else len(turn.prompts))
    return int(n)


def stops_of(turn: Turn) -> Sequence[str]:
    """Its stop strings."""
    stop = turn.sampling.get("stop") or ()
    return [stop] if isinstance(stop, str) else stop
