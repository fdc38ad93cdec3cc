"""What became of a request, and what many of them say."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

NO_RESPONSE = 0
"""In place of a status, where the connection failed."""
TOO_MANY = 429
"""The status of what is refused for the load."""
LEFT = "left"
"""The error of what the client did not wait for."""


@dataclass
class Outcome:
    """A request, as its client saw it. Times are seconds since the load began."""

    began: float
    who: str = ""
    """Of which kind, where a load has several."""
    status: int = NO_RESPONSE
    error: str = ""
    """What went wrong, empty if nothing did."""
    times: list[float] = field(default_factory=list)
    """When text came; several tokens that came together count once."""
    ended: float = 0.0
    complete: bool = False
    """Whether the response came to its end."""
    prompt_tokens: int = 0
    tokens: int = 0
    """Of the answer, as the server counts them."""
    text: str = ""
    retry_after: float | None = None
    """Seconds, of a response that says so."""

    @property
    def good(self) -> bool:
        """An answer, whole."""
        return self.status == 200 and self.complete and not self.error

    @property
    def excused(self) -> bool:
        """No answer, and nobody's fault: refused for the load, or left by the client."""
        return self.status == TOO_MANY or self.error == LEFT


@dataclass
class Fuzzed:
    """What was answered to requests that nobody should send."""

    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    """By path, how often each status, or what happened instead."""
    bad: int = 0
    """Requests with a status of 500 or more, or without a response though they were complete."""
    examples: list[str] = field(default_factory=list)
    """The first of them."""


@dataclass(frozen=True)
class Spread:
    """Percentiles in milliseconds."""

    p50: float
    p90: float
    p99: float


def spread(seconds: Sequence[float]) -> Spread | None:
    """Percentiles of times; None of nothing."""
    if not seconds:
        return None
    p50, p90, p99 = (float(value) for value in np.percentile(seconds, [50, 90, 99]) * 1e3)
    return Spread(p50, p90, p99)


def first_tokens(outcomes: Iterable[Outcome]) -> list[float]:
    """Seconds from each request to its first text."""
    return [outcome.times[0] - outcome.began for outcome in outcomes if outcome.times]


def between_tokens(
    outcomes: Iterable[Outcome], begin: float = 0.0, end: float = float("inf")
) -> list[float]:
    """Seconds between the pieces of each answer, of those that came in a window of time."""
    return [
        later - earlier
        for outcome in outcomes
        for earlier, later in zip(outcome.times, outcome.times[1:], strict=False)
        if begin <= later <= end
    ]


def tokens_per_second(outcomes: Sequence[Outcome]) -> float:
    """Of all answers, from the first request to the last answer's end."""
    if not outcomes:
        return 0.0
    seconds = max(each.ended for each in outcomes) - min(each.began for each in outcomes)
    return sum(each.tokens for each in outcomes) / max(seconds, 1e-9)


def writing_rate(outcomes: Iterable[Outcome], writers: int) -> float | None:
    """Tokens per second while so many answers are written at once; None if they never are.

    What a decoding step gives, without the reading of prompts: whose prompt is being read, writes
    nothing yet.
    """
    written = [each for each in outcomes if len(each.times) > 1 and each.tokens]
    per_piece = {id(each): each.tokens / len(each.times) for each in written}
    # An answer begins to be written with its first piece; what that one brought was made before.
    moments = [(each.times[0], 1, 0.0) for each in written]
    moments += [(time, 0, per_piece[id(each)]) for each in written for time in each.times[1:]]
    moments += [(each.times[-1], -1, 0.0) for each in written]
    # At the same moment: who ends has brought its last piece, who begins did not write until now.
    moments.sort(key=lambda moment: (moment[0], (0, -1, 1).index(moment[1])))
    seconds = tokens = 0.0
    writing, since = 0, 0.0
    for time, change, brought in moments:
        if writing >= writers:
            seconds += time - since
            tokens += brought
        writing += change
        since = time
    return tokens / seconds if seconds > 0 else None


def statuses(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """How often each status was answered, for JSON."""
    counts = Counter(outcome.status for outcome in outcomes)
    return {str(status) if status else "no response": counts[status] for status in sorted(counts)}


def failures(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """How often each thing went wrong with requests that were to be answered."""
    return dict(Counter(each.error or "cut off" for each in outcomes if not each.good))


def drift(samples: Sequence[float]) -> float | None:
    """Growth after the first quarter of a series, as a share; None where there is too little of it.

    Medians of a tenth each are compared: those after the first quarter, and the last.
    """
    tenth = len(samples) // 10
    if not tenth:
        return None
    quarter = len(samples) // 4
    settled = statistics.median(samples[quarter : quarter + tenth])
    return statistics.median(samples[-tenth:]) / settled - 1
