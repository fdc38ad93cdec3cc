"""How many drafts a step tries: numbers in, a decision out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

LEAST_GAIN = 1.02
"""Times as many tokens per second that drafts have to bring: less is within what is measured."""


@dataclass(frozen=True)
class Stakes:
    """What a step is without drafts, and how far it may be stretched.

    Attributes
    ----------
    tokens
        What it brings, in tokens of answers; where it reads prompts as well, their share of its
        time counts as tokens.
    seconds
        What it takes.
    room
        Most drafts.
    seconds_at_stake
        What drafts may take that bring nothing.
    """

    tokens: float
    seconds: float
    room: int
    seconds_at_stake: float


def choose(
    chances: Sequence[Sequence[float]],
    stakes: Stakes,
    extra: Callable[[int], float],
    least_gain: float = LEAST_GAIN,
) -> list[int]:
    """How many drafts each answer tries, so that most tokens come per second.

    The likeliest drafts of all answers are tried first.

    Parameters
    ----------
    chances
        Per answer how likely it is that so many of its drafts are right: of the first, of the first
        two, and so on; they do not grow.
    stakes
        The step without drafts.
    extra
        Seconds that so many drafts take.
    least_gain
        How many times as many tokens per second there have to be.

    Returns
    -------
    list of int
        Per answer; all 0 where drafts are not expected to pay.

    Examples
    --------
    >>> step = Stakes(tokens=2, seconds=0.1, room=8, seconds_at_stake=1.0)
    >>> choose([[0.9, 0.8], [0.3]], step, lambda drafts: 0.02 * drafts)
    [2, 0]
    """
    ranked = sorted(
        (-chance, place, answer)
        for answer, of_answer in enumerate(chances)
        for place, chance in enumerate(of_answer)
    )
    expected, best, best_count = stakes.tokens, stakes.tokens / stakes.seconds * least_gain, 0
    for count, (chance, _, _) in enumerate(ranked[: stakes.room], 1):
        expected -= chance
        seconds = extra(count)
        rate = expected / (stakes.seconds + seconds)
        if rate > best and seconds <= stakes.seconds_at_stake:
            best, best_count = rate, count
    counts = [0] * len(chances)
    for _, _, answer in ranked[:best_count]:
        counts[answer] += 1
    return counts


def least_chance(stakes: Stakes, extra: Callable[[int], float]) -> float:
    """How likely drafts have to be right at least to pay: if less, nobody need look at them.

    Returns
    -------
    float
        More than 1 where they cannot pay.

    Examples
    --------
    >>> step = Stakes(tokens=1, seconds=0.1, room=8, seconds_at_stake=1.0)
    >>> round(least_chance(step, lambda drafts: 0.04 * drafts), 2)
    0.4
    """
    if stakes.room < 1:
        return 2.0
    sizes = {1, min(4, stakes.room), min(15, stakes.room)}
    return min(extra(size) / size for size in sizes) * stakes.tokens / stakes.seconds
