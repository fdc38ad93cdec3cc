"""What still runs when the interpreter ends is closed before it goes.

A thread that comes back from C++ to an interpreter that is going away is taken down on the spot,
which C++ answers with an abort.
"""

from __future__ import annotations

import atexit
import os
import weakref
from typing import Protocol


class Closing(Protocol):
    """What has threads of its own."""

    def close(self) -> None:
        """End them; calling it twice is fine."""


_open: weakref.WeakSet[Closing] = weakref.WeakSet()


def close_at_exit(thing: Closing) -> None:
    """Close it when the interpreter ends, if it is still there."""
    _open.add(thing)


@atexit.register
def _close_all() -> None:
    for thing in list(_open):
        thing.close()


# A child has none of its parent's threads.
os.register_at_fork(after_in_child=_open.clear)
