"""What a step reads: which prompts, and how far, in the time and room that writing leaves."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence as Items

from pyhades.llm.engine.answer import Answer, Portion
from pyhades.llm.engine.policy import READING_SECONDS, WRITING_SECONDS, chunks
from pyhades.llm.engine.scheduling.admission import Admission
from pyhades.llm.engine.scheduling.room import Room
from pyhades.llm.engine.step_costs import StepCosts
from pyhades.llm.models.step import Limits


class Reading:
    """Cuts prompts into chunks.

    Parameters
    ----------
    admission
        Who may read.
    room
        Whether there are blocks for it.
    costs
        How long it takes.
    limits
        Of a step.
    """

    def __init__(self, admission: Admission, room: Room, costs: StepCosts, limits: Limits) -> None:
        self._admission = admission
        self._room = room
        self._costs = costs
        self._limits = limits

    def chosen(self, writing: Items[Portion], *, may_admit: bool) -> list[Portion]:
        """The prompts that are read on, and how far; some of them begin.

        Parameters
        ----------
        writing
            Those who get a token in the same step.
        may_admit
            Whether prompts may begin that nothing has been read of.
        """
        limits = self._limits
        order = self._admission.order(is_open=may_admit)[: limits.sequences - len(writing)]
        room = min(limits.tokens - len(writing), self._rows_left(order, len(writing)))
        prompts = [(answer.unread, answer.read) for answer in order]
        counts = chunks(prompts, room, self._fits(writing))
        chosen: list[Portion] = []
        is_door_open = True
        for answer, count in zip(order, counts, strict=False):
            others = [*writing, *chosen]
            if answer.is_admitted:
                taken = self._room.most(answer, count, others)
            elif is_door_open := is_door_open and self._room.may_begin(answer, others):
                self._admission.admit(answer)
                taken = count
            else:  # nobody overtakes it, or small prompts would keep a large one out for ever
                taken = 0
            if taken:
                chosen.append((answer, taken))
        return chosen

    def _rows_left(self, order: Items[Answer], writing: int) -> int:
        """Tokens that may be read as far as rows of logits go: some want all of theirs."""
        wants_rows = any(answer.request.wants_rows for answer in order)
        return self._limits.wanted - writing if wants_rows else self._limits.tokens

    def _fits(self, writing: Items[Portion]) -> Callable[[int, int], bool]:
        looks = sum(answer.sequence.length for answer, _ in writing)
        allowed = WRITING_SECONDS if writing else READING_SECONDS

        def fits(tokens: int, more_looks: int) -> bool:
            return self._costs.seconds(tokens + len(writing), looks + more_looks) <= allowed

        return fits
