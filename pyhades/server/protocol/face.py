"""What every protocol is made of."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Literal, Protocol, TypeVar

import msgspec

from pyhades.llm.text.tokenizer import Tokenizer
from pyhades.server.errors import ApiError
from pyhades.server.sessions import OpenChains, StoredResponses
from pyhades.server.settings import Settings
from pyhades.server.turns import Turn

B = TypeVar("B", bound=msgspec.Struct)
P_contra = TypeVar("P_contra", contravariant=True)
Framing = Literal["sse", "ndjson"]
MOST_LOGPROBS = 20


@dataclass(frozen=True)
class Event:
    """Something that a stream tells.

    Attributes
    ----------
    data
        What becomes JSON; None for OpenAI's ``[DONE]``.
    name
        Of the event, where the protocol names them.
    """

    data: Any
    name: str | None = None


DONE = Event(None)


class Face(Protocol[P_contra]):
    """One answer, as a client reads it: in events as it comes, or as a whole."""

    def begin(self, prompt_tokens: int) -> Iterable[Event]:
        """The model was asked."""

    def push(self, piece: P_contra) -> Iterable[Event]:
        """A piece has come."""

    def finish(self) -> Iterable[Event]:
        """The answer is whole; the last event ends the stream."""

    def fail(self, error: ApiError) -> Iterable[Event]:
        """It went wrong after it began; the last event ends the stream."""

    def whole(self) -> Any:
        """The answer as one object, once it is whole."""


@dataclass(frozen=True)
class Desk:
    """What protocols know of the server for one request.

    Attributes
    ----------
    model
        Under which name the answer comes.
    client
        Who asks.
    tokenizer
        Of the model; None where it has none.
    chains
        What is remembered of calls.
    stored
        What is remembered of responses.
    fingerprint
        Of weights and version: the same one gives the same answer to the same seed.
    """

    model: str
    client: str
    settings: Settings
    tokenizer: Tokenizer | None
    chains: OpenChains
    stored: StoredResponses
    fingerprint: str
    now: Callable[[], float] = time.time
    new_id: Callable[[], str] = field(default=lambda: uuid.uuid4().hex)

    def spelled(self, token: int) -> tuple[str, list[int]]:
        """Text and bytes of a token; the bytes may be a part of a character."""
        spelled = b"" if self.tokenizer is None else self.tokenizer.decode_bytes([token])
        return spelled.decode("utf-8", "replace"), list(spelled)


@dataclass(frozen=True)
class Call(Generic[P_contra]):
    """A request that was understood.

    Attributes
    ----------
    turn
        What is asked of the model.
    face
        How the answer is told.
    is_streamed
        Whether it is told as it comes.
    detached
        Under which name it goes on without whoever asked; None where it ends with them.
    """

    turn: Turn
    face: Face[P_contra]
    is_streamed: bool
    detached: str | None = None


@dataclass(frozen=True)
class Endpoint(Generic[B]):
    """A place where a protocol is spoken.

    Attributes
    ----------
    path
        Of the URL.
    body
        What a request is.
    understand
        From a request to what is asked, and how it is answered.
    framing
        How events follow one another.
    error
        How an error is told.
    """

    path: str
    body: type[B]
    understand: Callable[[B, Desk], Call[Any]]
    framing: Framing = "sse"
    error: Callable[[ApiError], Mapping[str, Any]] = ApiError.body


class Sampling(msgspec.Struct, kw_only=True):
    """What all protocols of OpenAI's family say about sampling; null is the default."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    seed: int | None = None
    ignore_eos: bool | None = None

    _names: ClassVar[tuple[str, ...]] = (
        "temperature", "top_p", "top_k", "min_p", "repetition_penalty", "presence_penalty",
        "frequency_penalty", "logit_bias", "ignore_eos",
    )  # fmt: skip

    def sampling(self, **others: Any) -> dict[str, Any]:
        """Fields of :class:`pyhades.SamplingParams`."""
        fields = {name: getattr(self, name) for name in self._names}
        # Seeds are signed there: each keeps a sequence of its own.
        fields["seed"] = None if self.seed is None else self.seed & (2**64 - 1)
        return {**fields, **others}


def checked_logprobs(count: int, param: str) -> int:
    """How many of the likeliest tokens are told of.

    Raises
    ------
    ApiError
        More than a client may ask for.
    """
    if not 0 <= count <= MOST_LOGPROBS:
        raise ApiError(400, f"{param}={count} is not 0 to {MOST_LOGPROBS}", "invalid_value", param)
    return count
