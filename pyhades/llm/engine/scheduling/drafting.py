"""What those who write are guessed to go on with: drafts that take what room the others leave."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as Items

from pyhades.llm.engine.answer import Answer, Portion
from pyhades.llm.engine.scheduling.room import Room
from pyhades.llm.models.step import Limits
from pyhades.llm.speculation.sources import Draft
from pyhades.llm.speculation.speculation import Speculation

Drafts = Mapping[Answer, Draft]


def drafts_for(
    chosen: Items[Portion], speculation: Speculation | None, room: Room, limits: Limits
) -> Drafts:
    """The drafts of a step, by answer; none where they do not pay, or have no room.

    Parameters
    ----------
    chosen
        Who takes part in the step, and with how many tokens.
    speculation
        Makes drafts; None makes none.
    room, limits
        Of the cache, and of a step.
    """
    if speculation is None or speculation.is_paused:
        return {}
    writers = [answer for answer, _ in chosen if answer.is_writing]
    readers = [a for a, _ in chosen if not a.is_writing and not a.request.wants_rows]
    rows = sum(count for _, count in chosen)
    looks = sum(count * answer.sequence.length for answer, count in chosen)
    wanted = sum(count if answer.request.wants_rows else 1 for answer, count in chosen)
    places = max(min(limits.tokens - rows, limits.wanted - wanted), 0)
    drafts = speculation.propose(writers, rows, looks, places, readers)
    lengths = {answer: len(draft.tokens) for answer, draft in drafts.items()}
    if drafts and not room.has_blocks((a, count + lengths.get(a, 0)) for a, count in chosen):
        speculation.drop()
        return {}
    return drafts
