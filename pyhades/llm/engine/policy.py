"""Who reads next, and who gives way: numbers in, decisions out, no clock and no model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from functools import partial

Client = str
AGEING = 0.5
"""Seconds by which a waiting prompt becomes shorter per second: even the longest gets its turn."""
WRITING_SECONDS = 0.3
"""What a step may take while answers are written: readers notice longer pauses."""
READING_SECONDS = 1.0
"""What it may take while nobody waits for a next token; longer ones read hardly faster."""
LEAST_CHUNK = 16
"""Tokens of prompts that every step takes, however long its answers take: nothing starves."""


@dataclass(frozen=True)
class Unread:
    """What a policy knows of a prompt that is being read or waits to be.

    Attributes
    ----------
    key
        Names it in the decision.
    seconds
        What reading the rest takes.
    waited
        Seconds since it came.
    """

    key: int
    client: Client
    seconds: float
    waited: float


def reading_order(prompts: Iterable[Unread], served: Mapping[Client, float]) -> list[int]:
    """In which order prompts are read.

    Of the clients, the one that was served least comes first; of its prompts, the shortest, where
    waiting counts as being shorter.

    Parameters
    ----------
    prompts
        In any order.
    served
        Seconds that clients were served, see :class:`Shares`.

    Returns
    -------
    list of int
        All keys.

    Examples
    --------
    >>> long, short = Unread(0, "a", 9.0, 1.0), Unread(1, "a", 1.0, 0.0)
    >>> reading_order([long, short], {})
    [1, 0]
    >>> reading_order([long, short, Unread(2, "b", 5.0, 0.0)], {"a": 0.5})
    [2, 1, 0]
    """
    queues: dict[Client, list[Unread]] = {}
    for prompt in sorted(prompts, key=lambda p: (p.seconds - AGEING * p.waited, p.key)):
        queues.setdefault(prompt.client, []).append(prompt)
    so_far = {client: served.get(client, 0.0) for client in queues}
    order = []
    while queues:
        client = min(queues, key=lambda c: (so_far[c], queues[c][0].key))
        prompt = queues[client].pop(0)
        so_far[client] += prompt.seconds
        order.append(prompt.key)
        if not queues[client]:
            del queues[client]
    return order


class Shares:
    """What clients were served, in seconds of the engine.

    A client that comes, or comes back, starts level with those who are being served least: whoever
    did not ask has saved nothing up.
    """

    def __init__(self) -> None:
        self.served: MutableMapping[Client, float] = {}

    def enter(self, client: Client) -> None:
        """A client that had no work has some now."""
        self.served[client] = min(self.served.values(), default=0.0)

    def leave(self, client: Client) -> None:
        """A client has no more work."""
        self.served.pop(client, None)

    def serve(self, client: Client, seconds: float) -> None:
        """Count what was done for a client."""
        if client in self.served:
            self.served[client] += seconds


@dataclass(frozen=True)
class Holder:
    """What a policy knows of an answer that holds blocks.

    Attributes
    ----------
    key
        Names it in the decision.
    arrival
        Number of its request: the higher, the younger.
    is_suspended
        Whether its reader does not read.
    room
        How much it holds of what there is no more of: places in a step, or blocks.
    """

    key: int
    client: Client
    arrival: int
    is_suspended: bool
    room: int = 1


def victim(holders: Iterable[Holder]) -> int:
    """Whose blocks are taken when none are left: unread answers first, then the youngest.

    Examples
    --------
    >>> victim([Holder(0, "a", 0, False), Holder(1, "a", 1, False)])
    1
    >>> victim([Holder(0, "a", 0, True), Holder(1, "a", 1, False)])
    0
    """
    return max(holders, key=lambda h: (h.is_suspended, h.arrival, h.key)).key


def unfair_holder(holders: Sequence[Holder], newcomer: Client) -> int | None:
    """Who must make room for a client that holds nothing, if anybody holds more than a fair share.

    Parameters
    ----------
    holders
        Everybody who holds room, of which there is no more.
    newcomer
        Who wants some.

    Returns
    -------
    int or None
        The youngest answer of the client that holds most, if it has others.

    Examples
    --------
    >>> holders = [Holder(key, "a", key, False) for key in range(4)]
    >>> unfair_holder(holders, "b")
    3
    >>> unfair_holder(holders, "a") is None
    True
    """
    answers = Counter(holder.client for holder in holders)
    if answers[newcomer] or not answers:
        return None
    held: Counter[Client] = Counter()
    for holder in holders:
        held[holder.client] += holder.room
    greedy, most = max(held.items(), key=lambda item: (item[1], item[0]))
    if answers[greedy] == 1 or most <= held.total() / (len(held) + 1):
        return None
    return victim(holder for holder in holders if holder.client == greedy)


def chunks(
    prompts: Iterable[tuple[int, int]],
    room: int,
    fits: Callable[[int, int], bool],
) -> list[int]:
    """How many tokens of each prompt the next step takes, in the order of the prompts.

    Parameters
    ----------
    prompts
        Of each, how many tokens are unread, and how many were read before.
    room
        Most tokens altogether.
    fits
        Whether the step has time for so many tokens, which look back at so many all in all.

    Returns
    -------
    list of int
        May be shorter than ``prompts``; the last may be a part of its prompt.

    Examples
    --------
    >>> chunks([(10, 0), (100, 0), (7, 0)], 64, lambda tokens, looks: tokens <= 50)
    [10, 40]
    """
    taken: list[int] = []
    total = looks = 0
    for unread, depth in prompts:
        most = min(unread, room - total)
        count = _largest(most, partial(_fits_too, fits, total, looks, depth))
        count = max(count, min(most, LEAST_CHUNK - total))
        if not count:
            break
        taken.append(count)
        total += count
        looks += _looks(count, depth)
        if count < unread:
            break
    return taken


def _fits_too(
    fits: Callable[[int, int], bool], tokens: int, looks: int, depth: int, count: int
) -> bool:
    return fits(tokens + count, looks + _looks(count, depth))


def _looks(count: int, depth: int) -> int:
    """Tokens that a piece of a prompt looks back at: those before it, and half of its own."""
    return count * (depth + count // 2)


def _largest(most: int, fits: Callable[[int], bool]) -> int:
    """The largest number up to ``most`` that fits, where what fits is a beginning."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if fits(middle):
            low = middle
        else:
            high = middle - 1
    return low
