"""What becomes of engines when the interpreter goes, and in a forked child."""

from __future__ import annotations

import atexit
import os
import weakref
from typing import Protocol

# Engines are closed before the levels of their caches, which write what came last: so those have
# to be registered first.
import pyhades.llm.cache.levels  # noqa: F401


class Living(Protocol):
    """What has a thread."""

    def close(self) -> None:
        """Stop all work and the thread."""

    def after_fork(self) -> None:
        """In a forked child: the thread is gone."""


_LIVING: weakref.WeakSet[Living] = weakref.WeakSet()


def begins(engine: Living) -> None:
    """Look after an engine from now on; it is not kept alive."""
    _LIVING.add(engine)


def ends(engine: Living) -> None:
    """There is nothing more to look after."""
    _LIVING.discard(engine)


def _close_all() -> None:
    """Before the interpreter goes: a thread that comes back from a step would find none."""
    for engine in list(_LIVING):
        engine.close()


def _after_fork() -> None:
    for engine in list(_LIVING):
        engine.after_fork()


atexit.register(_close_all)
os.register_at_fork(after_in_child=_after_fork)
