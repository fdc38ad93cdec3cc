"""What becomes of open folders where the process forks: the child begins segments of its own."""

from __future__ import annotations

import os
import threading
import weakref
from typing import Protocol


class Forked(Protocol):
    """What has files that a child must not write.

    Attributes
    ----------
    writing
        Whoever holds it writes; nobody does while the process forks, so that the child finds
        everything whole.
    """

    writing: threading.RLock

    def after_fork(self) -> None:
        """In the child: let go of what is the parent's."""


_OPEN: weakref.WeakSet[Forked] = weakref.WeakSet()
_HELD: list[Forked] = []


def take_care_of(level: Forked) -> None:
    """Tell it when the process has forked, as long as it lives."""
    _OPEN.add(level)


def _before() -> None:
    for level in list(_OPEN):
        level.writing.acquire()
        _HELD.append(level)


def _after_in_parent() -> None:
    while _HELD:
        _HELD.pop().writing.release()


def _after_in_child() -> None:
    for level in _HELD:
        level.after_fork()
    _after_in_parent()


os.register_at_fork(
    before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child
)
