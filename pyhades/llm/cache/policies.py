"""What is given up first where there is no more room: a function per policy.

A policy ranks what is kept by how it was used; the lowest rank goes first. Every level asks the
same function, and so does the simulator under ``bench/cache``.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

PolicyName = Literal["class", "lru", "lfu", "random", "none"]
Rank = tuple[float, ...]
Policy = Callable[["Use"], Rank]


class Purpose(IntEnum):
    """For what something is kept: what is likely to be asked for again stays longer."""

    PLAIN = 0
    TURN = 1
    """Up to the end of a prompt: the next turn of a chat begins there."""
    OPEN = 2
    """Of a chain of calls that has not come to its answer."""
    DECLARED = 3
    """A beginning that whoever runs the model has declared as shared."""


LONGER = {
    Purpose.PLAIN: 0.0, Purpose.TURN: 1800.0, Purpose.OPEN: 3600.0, Purpose.DECLARED: 86_400.0,
}  # fmt: skip
"""Seconds by which something counts as used later than it was, by its purpose.

On the traces of ``bench/cache`` with its tuning seeds, half an hour for turns finds .90 of what is
reusable in small rooms, ten minutes .895, a minute .88, and an hour no more.
"""


@dataclass(slots=True)
class Use:
    """How something that is kept was used.

    Attributes
    ----------
    last
        When it was last used, in seconds since the epoch: it outlives the process.
    count
        How often.
    depth
        Blocks of its text up to here: of what was used together, ends go before beginnings.
    purpose
        What for.
    first
        When it came.
    """

    last: float
    count: int = 1
    depth: int = 0
    purpose: Purpose = Purpose.PLAIN
    first: float = 0.0


def least_recent(use: Use) -> Rank:
    """What was used longest ago."""
    return use.last, -use.depth


def least_recent_by_class(use: Use) -> Rank:
    """What was used longest ago, where some purposes count as later."""
    return use.last + LONGER[use.purpose], -use.depth


def least_frequent(use: Use) -> Rank:
    """What was used least often, and of that what was used longest ago."""
    return use.count, use.last, -use.depth


def at_random(use: Use, dice: random.Random = random.Random(0)) -> Rank:  # noqa: B008
    """Anything: what other policies are compared with."""
    return (dice.random(),)


def newest(use: Use) -> Rank:
    """What came last: once there is no room, nothing new is kept."""
    return -use.first, -use.depth


POLICIES: dict[PolicyName, Policy] = {
    "class": least_recent_by_class,
    "lru": least_recent,
    "lfu": least_frequent,
    "random": at_random,
    "none": newest,
}
"""By the names that users give; see docs/decisions/0016 for what each is worth."""
DEFAULT_POLICY: PolicyName = "class"
