"""A trace: who asked what, and when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from bench.cache.traces.spans import Span, Text, length_of

READ_PER_SECOND = 100.0
"""Tokens that gpt-oss-20b reads in a second on two cores."""
WRITTEN_PER_SECOND = 10.0


@dataclass(frozen=True, slots=True)
class Ask:
    """A prompt, and the answer that came.

    Attributes
    ----------
    time
        When it was asked, in seconds from the beginning of the trace.
    client
        By whom: what was read for one is not found by another, but for what is declared.
    prompt, answer
        Texts.
    points
        After how many tokens of the prompt texts are likely to go on, besides its end.
    opens
        Whether the answer ended with a call, so that more is coming.
    took
        Seconds from the question to the end of the answer, where they were measured.
    """

    time: float
    client: str
    prompt: Text
    answer: Text
    points: tuple[int, ...] = ()
    opens: bool = False
    took: float | None = None

    @property
    def prompt_length(self) -> int:
        """Tokens of the prompt."""
        return length_of(self.prompt)

    @property
    def answer_length(self) -> int:
        """Tokens of the answer."""
        return length_of(self.answer)

    @property
    def seconds(self) -> float:
        """How long it takes to write the answer, as measured or about."""
        return self.answer_length / WRITTEN_PER_SECOND if self.took is None else self.took


@dataclass(frozen=True)
class Trace:
    """What was asked, in order.

    Attributes
    ----------
    name
        What to call it.
    asked
        By time.
    declared
        Beginnings that are shared among clients.
    """

    name: str
    asked: tuple[Ask, ...]
    declared: tuple[Text, ...] = ()

    @property
    def prompt_tokens(self) -> int:
        """Of all prompts."""
        return sum(ask.prompt_length for ask in self.asked)

    @property
    def longest(self) -> int:
        """Most tokens of a prompt with its answer."""
        return max((ask.prompt_length + ask.answer_length for ask in self.asked), default=0)

    def first(self, count: int) -> Trace:
        """The first so many prompts."""
        return replace(self, asked=self.asked[:count])


def trace_of(name: str, asked: Iterable[Ask], declared: Sequence[Text] = ()) -> Trace:
    """What was asked, brought into order."""
    return Trace(name, tuple(sorted(asked, key=lambda ask: ask.time)), tuple(declared))


def scaled(trace: Trace, tokens: float, time: float = 1.0) -> Trace:
    """The same with texts of so many times the tokens, and times of so many times the seconds."""

    def shorter(text: Text) -> Text:
        return tuple(Span(span.name, max(round(span.length * tokens), 1)) for span in text)

    def point(prompt: Text, at: int) -> int:
        """Where the span begins that began at ``at``."""
        before = [span for n, span in enumerate(prompt) if length_of(prompt[: n + 1]) <= at]
        return length_of(shorter(tuple(before)))

    asked = [
        replace(
            ask, time=ask.time * time, prompt=shorter(ask.prompt), answer=shorter(ask.answer),
            points=tuple(point(ask.prompt, at) for at in ask.points),
        )
        for ask in trace.asked
    ]  # fmt: skip
    return Trace(trace.name, tuple(asked), tuple(map(shorter, trace.declared)))
