"""What blocks and windows are kept for, once a text has come to its end."""

from __future__ import annotations

from pyhades.llm.cache.checkpoints import Checkpoint
from pyhades.llm.cache.kept import Kept
from pyhades.llm.cache.policies import Purpose
from pyhades.llm.cache.records import Key, Part
from pyhades.llm.cache.trails import Trail


def end(trail: Trail, kept: Kept, is_open: bool | None) -> None:
    """Take note that a sequence comes to its end, and of what its text is kept for from now on.

    ``is_open`` says whether it is part of a chain of calls that goes on; None where it was broken
    off.
    """
    now = kept.clock()
    changed: dict[Purpose, list[Key]] = {}
    for node in trail.node.path():
        was, is_of_prompt = node.use.purpose, node.depth <= trail.turn
        node.use.last = now
        node.use.purpose = purpose_at_end(was, is_of_prompt=is_of_prompt, is_open=is_open)
        if node.use.purpose is not was:
            changed.setdefault(node.use.purpose, []).append(Key(node.digest, Part.BLOCK))
        checkpoint = kept.windows.kept.get(node.digest)
        if checkpoint is not None and _window_changes(checkpoint, trail, is_open):
            kept.windows.rank(checkpoint)
            changed.setdefault(checkpoint.use.purpose, []).append(Key(node.digest, Part.WINDOW))
    if kept.down is not None:
        kept.down.text_ended(trail.node)
        for purpose, keys in changed.items():
            kept.down.touch(purpose, keys)


def _window_changes(checkpoint: Checkpoint, trail: Trail, is_open: bool | None) -> bool:
    """Whether a window is kept for something else at the end of a text, and for what."""
    was, is_turn = checkpoint.use.purpose, checkpoint.node.depth == trail.turn
    if is_open and not is_turn and checkpoint.node is not trail.node:
        is_open = None  # a chain goes on from its end, or from that of its prompt
    checkpoint.use.purpose = purpose_at_end(was, is_of_prompt=is_turn, is_open=is_open)
    return checkpoint.use.purpose is not was


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
