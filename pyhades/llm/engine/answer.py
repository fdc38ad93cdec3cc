"""An answer in progress, and what a step brings it."""

from __future__ import annotations

from dataclasses import dataclass, field

from pyhades.llm.cache.addresses import Address
from pyhades.llm.cache.fetch import Fetch
from pyhades.llm.cache.sequences import Sequence
from pyhades.llm.engine.request import Request
from pyhades.llm.engine.runner import Logits
from pyhades.llm.engine.sampling import Sampler
from pyhades.llm.text.outputs import FinishReason, TokenLogprob


@dataclass(eq=False)
class Answer:
    """One answer to one prompt.

    There are no phases: what has not gone through the model is :attr:`unread`, be it much of a
    prompt, the last token alone, or everything again after the cache was needed by others.

    Attributes
    ----------
    tokens
        Those of the prompt, and those written so far.
    arrival
        Number and time of the request's coming.
    siblings
        Answers to the same prompt, which begin where this one has read it.
    address
        By what its text is found among those that were read before; None where it is not looked
        for.
    fetch
        What comes of its text from the levels below the pool; it does not begin before that is
        over.
    is_behind
        Whether it waits for what others have ordered, or for room to have more fetched.
    is_admitted
        Whether it may hold blocks.
    cached_tokens
        Tokens of its prompt that had been read before.
    accepted, rejected
        Of the tokens that the request predicted, how many were right when they were tried, and how
        many wrong.
    rows_given
        Of the logits after its tokens, where those are wanted.
    """

    request: Request
    index: int
    sampler: Sampler
    sequence: Sequence
    arrival: tuple[int, float]
    tokens: list[int] = field(default_factory=list)
    siblings: list[Answer] = field(default_factory=list)
    address: Address | None = None
    fetch: Fetch | None = None
    is_behind: bool = False
    is_admitted: bool = False
    cached_tokens: int = 0
    accepted: int = 0
    rejected: int = 0
    rows_given: int = 0
    finish_reason: FinishReason | None = None

    @property
    def read(self) -> int:
        """How many of its tokens need not go through the model (again)."""
        if self.is_admitted or self.address is None:
            return self.sequence.length
        return self.address.read

    @property
    def unread(self) -> int:
        """How many of its tokens have yet to go through the model."""
        return len(self.tokens) - self.read

    @property
    def written(self) -> int:
        """How many tokens it has."""
        return len(self.tokens) - len(self.request.tokens)

    @property
    def is_open(self) -> bool | None:
        """Whether it leaves a chain of calls open; None where it has not come to its end."""
        if self.finish_reason is None:
            return None
        last = self.tokens[-min(self.written, 2) :] if self.written else []
        return not self.request.opens.isdisjoint(last)

    @property
    def is_writing(self) -> bool:
        """Whether it needs no more than a step for its next token."""
        return self.unread == 1 and self.written > 0

    def next_tokens(self, count: int) -> list[int]:
        """The next tokens to go through the model."""
        start = self.sequence.length
        return self.tokens[start : start + count]


Portion = tuple[Answer, int]
"""An answer, and how many of its tokens a step takes."""


@dataclass(frozen=True)
class Event:
    """What a step brought to an answer: a token, rows of logits, or an error that ends it.

    A step brings several tokens, one event each, where drafts of them were right.

    Attributes
    ----------
    finish_reason
        Why the answer ends with it; None where it goes on.
    accepted, rejected
        Of the tokens that the request predicted, how many were right so far, and how many wrong.
    """

    answer: Answer
    token: int | None = None
    logprob: TokenLogprob | None = None
    rows: Logits | None = None
    error: Exception | None = None
    finish_reason: FinishReason | None = None
    accepted: int = 0
    rejected: int = 0
