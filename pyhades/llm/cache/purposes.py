"""What blocks and windows are kept for, as their texts go on."""

from __future__ import annotations

from pyhades.llm.cache.policies import Purpose


def purpose_at_end(was: Purpose, *, is_of_prompt: bool, is_open: bool | None) -> Purpose:
    """What a block is kept for once an answer with it in its text has ended.

    Parameters
    ----------
    was
        What it was kept for until then.
    is_of_prompt
        Whether it is of the prompt, where the next turn begins.
    is_open
        Whether the answer leaves a chain of calls open; None where it was broken off, and nobody
        knows.

    Examples
    --------
    >>> purpose_at_end(Purpose.OPEN, is_of_prompt=True, is_open=False).name
    'TURN'
    >>> purpose_at_end(Purpose.PLAIN, is_of_prompt=False, is_open=True).name
    'OPEN'
    """
    if was is Purpose.DECLARED:
        return was
    if is_open:
        return Purpose.OPEN
    if is_open is not None:
        was = min(was, Purpose.TURN)
    return max(was, Purpose.TURN if is_of_prompt else Purpose.PLAIN)
