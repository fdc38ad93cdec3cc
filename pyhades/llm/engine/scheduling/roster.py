"""The answers in progress: those that hold blocks of the cache, and those that wait for some."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence as Items
from collections.abc import Set as AbstractSet

from pyhades.llm.engine.answer import Answer
from pyhades.llm.engine.policy import Shares

Suspended = Callable[[Answer], bool]


class Roster:
    """Who is in progress, and what their clients were served.

    Answers to one prompt are led by the first of them until it has read the prompt: the others are
    its siblings, and stand in neither list.

    Parameters
    ----------
    is_suspended
        Whether the reader of an answer does not read, so that it has to wait.

    Attributes
    ----------
    holding
        Those that hold blocks, in the order in which they began.
    waiting
        Those that nothing has been read of, or that have to be read again.
    shares
        What their clients were served.
    """

    def __init__(self, is_suspended: Suspended) -> None:
        self.is_suspended = is_suspended
        self.holding: list[Answer] = []
        self.waiting: list[Answer] = []
        self.shares = Shares()

    # Who is there.

    @property
    def leaders(self) -> list[Answer]:
        """All but siblings."""
        return [*self.holding, *self.waiting]

    @property
    def answers(self) -> list[Answer]:
        """All, the oldest of those that hold blocks first."""
        return [each for leader in self.leaders for each in (leader, *leader.siblings)]

    @property
    def running(self) -> int:
        """How many hold blocks, or will with their leaders."""
        return sum(1 + len(answer.siblings) for answer in self.holding)

    @property
    def writing(self) -> list[Answer]:
        """Those that get a token in every step."""
        is_suspended = self.is_suspended
        return [each for each in self.holding if each.is_writing and not is_suspended(each)]

    @property
    def is_busy(self) -> bool:
        """Whether somebody holds blocks and will give them back by and by."""
        return any(not self.is_suspended(answer) for answer in self.holding)

    @property
    def has_work(self) -> bool:
        """Whether a step would do anything; answers that wait for what is fetched need none."""
        at_work = [answer for answer in self.leaders if not self.is_suspended(answer)]
        if any(answer.fetch is None and not answer.is_behind for answer in at_work):
            return True
        # Those who wait behind others need not wait for nobody.
        return bool(at_work) and all(answer.fetch is None for answer in self.leaders)

    # Who comes and goes.

    def enter(self, answers: Items[Answer]) -> None:
        """Those to one prompt, which wait from now on."""
        leader, *siblings = answers
        client = leader.request.client
        if all(each.request.client != client for each in self.leaders):
            self.shares.enter(client)
        leader.siblings = siblings
        self.waiting.append(leader)

    def leave(self, gone: AbstractSet[Answer]) -> None:
        """Some are no more in progress; the first sibling of a leader takes its place."""
        for leader in self.leaders:
            leader.siblings = [sibling for sibling in leader.siblings if sibling not in gone]
        self.holding, heirs = _without(self.holding, gone)
        self.waiting, more_heirs = _without(self.waiting, gone)
        self.waiting = [*heirs, *more_heirs, *self.waiting]
        at_work = {answer.request.client for answer in self.leaders}
        for client in {answer.request.client for answer in gone} - at_work:
            self.shares.leave(client)

    def begin(self, answer: Answer) -> None:
        """One that has waited may hold blocks."""
        self.waiting.remove(answer)
        self.holding.append(answer)
        answer.is_admitted = True

    def give_way(self, answer: Answer) -> None:
        """One that held blocks has none any more."""
        self.holding.remove(answer)
        self.waiting.append(answer)
        answer.is_admitted = False

    def part(self, leader: Answer) -> list[Answer]:
        """The siblings of one that has read their prompt: from now on they stand for themselves."""
        siblings, leader.siblings = leader.siblings, []
        for sibling in siblings:
            sibling.is_admitted = True
        at = self.holding.index(leader) + 1
        self.holding[at:at] = siblings
        return siblings


def _without(answers: list[Answer], gone: AbstractSet[Answer]) -> tuple[list[Answer], list[Answer]]:
    """The others; and where a leader goes, the first of its siblings, which takes its place."""
    kept, heirs = [], []
    for answer in answers:
        if answer not in gone:
            kept.append(answer)
        elif answer.siblings:
            heir, *rest = answer.siblings
            heir.siblings, answer.siblings = rest, []
            heir.address = answer.address
            heir.fetch, answer.fetch = answer.fetch, None
            heir.is_behind = answer.is_behind
            heirs.append(heir)
    return kept, heirs
