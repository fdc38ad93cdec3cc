"""What generation gives back."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import Literal

from pyhades.arguments import one_of
from pyhades.llm.speculation.counts import SpeculationCounts
from pyhades.llm.text.level_counts import LevelCounts
from pyhades.llm.text.listings import as_html, share
from pyhades.tables import as_lines

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True)
class TokenLogprob:
    """A sampled token, its log-probability, and the likeliest ones with theirs."""

    token: int
    logprob: float
    top: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class Delta:
    """A piece of an answer, as it comes.

    Attributes
    ----------
    prompt, index
        Which prompt of the list, and which of its ``n`` answers.
    text
        What can be shown: whole characters, and nothing that may become a stop string.
    token_ids
        The tokens that came with it; they may run ahead of ``text``.
    finish_reason
        Set on the last delta of an answer.
    cached_tokens
        Tokens of the prompt that did not have to be read, because they had been before.
    accepted_prediction_tokens, rejected_prediction_tokens
        Of the tokens that were tried because the request predicted them, how many have been right
        so far in this answer, and how many wrong.
    """

    prompt: int
    index: int
    text: str
    token_ids: tuple[int, ...]
    finish_reason: FinishReason | None = None
    logprobs: tuple[TokenLogprob, ...] = ()
    cached_tokens: int = 0
    accepted_prediction_tokens: int = 0
    rejected_prediction_tokens: int = 0

    def __post_init__(self) -> None:
        if self.finish_reason is not None:
            one_of("finish_reason", self.finish_reason, FinishReason)


@dataclass(frozen=True)
class Usage:
    """Tokens of one answer of a chat."""

    prompt_tokens: int
    completion_tokens: int
    """All that were written, markers between messages among them."""
    reasoning_tokens: int = 0
    """Of them, those of the chain of thought."""
    cached_tokens: int = 0
    """Of the prompt, those that did not have to be read, because they had been before."""
    accepted_prediction_tokens: int = 0
    """Of the predicted tokens that were tried, those that were right, which are in the answer."""
    rejected_prediction_tokens: int = 0
    """Of the predicted tokens that were tried, those that were wrong; no part of the answer."""

    @property
    def total_tokens(self) -> int:
        """Of prompt and answer."""
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True)
class CacheInfo:
    """What is kept of what was read, and what it has saved.

    Attributes
    ----------
    prompt_tokens
        Of all prompts so far.
    cached_tokens
        Of them, those that did not have to be read.
    kept_tokens
        Tokens of which there are keys and values now, those of answers in progress among them.
    room
        Most tokens that there can be.
    checkpoints
        Places of those texts at which layers with a sliding window can go on.
    evicted_tokens
        Tokens that were given up because others needed the room.
    rederived_tokens
        Tokens that went through the model once more, for windows that had been given up.
    fetched_tokens
        Tokens whose keys and values came back from the levels below.
    levels
        What is kept below the blocks in memory, the fastest level first.
    """

    prompt_tokens: int
    cached_tokens: int
    kept_tokens: int
    room: int
    checkpoints: int
    evicted_tokens: int
    rederived_tokens: int = 0
    fetched_tokens: int = 0
    levels: tuple[LevelCounts, ...] = field(default=(), kw_only=True)

    def _rows(self) -> list[tuple[str, str]]:
        return [
            ("tokens of prompts", f"{self.prompt_tokens:,}"),
            ("found", share(self.cached_tokens, self.prompt_tokens)),
            ("kept", f"{self.kept_tokens:,} of {self.room:,} tokens"),
            ("checkpoints", f"{self.checkpoints:,}"),
            ("given up", f"{self.evicted_tokens:,} tokens"),
            ("read once more for windows", f"{self.rederived_tokens:,} tokens"),
            ("fetched from below", f"{self.fetched_tokens:,} tokens"),
            *((level.name, level.summary) for level in self.levels),
        ]

    def __str__(self) -> str:
        return as_lines(self._rows())

    def _repr_html_(self) -> str:
        return as_html(self._rows())


@dataclass(frozen=True)
class EngineStats:
    """What the engine does, and has done so far.

    Attributes
    ----------
    running
        Answers that hold keys and values.
    waiting
        Prompts that nothing has been read of, or that gave way and are read again.
    steps, seconds
        Steps so far, and what they took.
    seconds_in_model
        Of them, those in the model's kernels.
    preemptions
        How often an answer gave way for want of room.
    blocks_held, blocks
        Blocks of keys and values that answers in progress hold, and how many there are.
    speculation
        What drafts have brought; None where none are tried.
    levels
        What is kept of what was read below the blocks in memory, the fastest level first.
    """

    running: int
    waiting: int
    steps: int
    seconds: float
    seconds_in_model: float
    preemptions: int
    blocks_held: int
    blocks: int
    speculation: SpeculationCounts | None = None
    levels: tuple[LevelCounts, ...] = field(default=(), kw_only=True)

    def _rows(self) -> list[tuple[str, str]]:
        return [
            ("answers in work", f"{self.running:,}, {self.waiting:,} prompts wait"),
            ("steps", f"{self.steps:,} in {self.seconds:,.1f} s"),
            ("in kernels", f"{self.seconds_in_model:,.1f} s"),
            ("gave way", f"{self.preemptions:,}"),
            ("blocks held", share(self.blocks_held, self.blocks)),
            *self._drafts(),
            *((level.name, level.summary) for level in self.levels),
        ]

    def _drafts(self) -> list[tuple[str, str]]:
        drafts = self.speculation
        if drafts is None:
            return []
        gained = f"{round(drafts.seconds_gained, 1) + 0.0:,.1f} s gained"  # no negative zero
        return [("drafts accepted", f"{share(drafts.accepted, drafts.drafted)}, {gained}")]

    def __str__(self) -> str:
        return as_lines(self._rows())

    def _repr_html_(self) -> str:
        return as_html(self._rows())


@dataclass(frozen=True)
class Timing:
    """Seconds of one answer."""

    first_token: float
    """From the call to the first token."""
    total: float
    prompt_tokens: int
    tokens: int
    cached_tokens: int = 0
    """Of the prompt, those that did not have to be read, because they had been before."""
    accepted_prediction_tokens: int = 0
    """Of the predicted tokens that were tried, those that were right."""
    rejected_prediction_tokens: int = 0
    """Of the predicted tokens that were tried, those that were wrong."""

    @property
    def tokens_per_second(self) -> float:
        """Decoding alone: tokens after the first, over the time after the first."""
        rest = self.total - self.first_token
        return (self.tokens - 1) / rest if self.tokens > 1 and rest > 0 else 0.0


@dataclass(frozen=True)
class Completion:
    """One answer to one prompt."""

    text: str
    token_ids: tuple[int, ...]
    finish_reason: FinishReason
    timing: Timing
    logprobs: tuple[TokenLogprob, ...] = ()

    def __post_init__(self) -> None:
        one_of("finish_reason", self.finish_reason, FinishReason)

    def summary(self) -> str:
        """A line about how it came about."""
        timing = self.timing
        cached = f", {timing.cached_tokens} of them before" if timing.cached_tokens else ""
        speed = f" at {timing.tokens_per_second:.1f} tokens/s" if timing.tokens > 1 else ""
        return (
            f"{timing.prompt_tokens} tokens read{cached}, {timing.tokens} written{speed}, "
            f"first after {timing.first_token:.2f} s, {self.finish_reason}"
        )

    def __str__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        text = escape(self.text)
        note = escape(self.summary())
        return f"<pre style='white-space:pre-wrap'>{text}</pre><small>{note}</small>"


@dataclass(frozen=True)
class Generation:
    """The answers to one prompt; as a string, the first of them."""

    prompt_token_ids: tuple[int, ...]
    completions: tuple[Completion, ...] = field(default_factory=tuple)

    @property
    def text(self) -> str:
        """Text of the first answer."""
        return self.completions[0].text

    @property
    def token_ids(self) -> tuple[int, ...]:
        """Tokens of the first answer."""
        return self.completions[0].token_ids

    @property
    def finish_reason(self) -> FinishReason:
        """Why the first answer ended: a stop token or string, or its length."""
        return self.completions[0].finish_reason

    def __str__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return "<hr>".join(completion._repr_html_() for completion in self.completions)
