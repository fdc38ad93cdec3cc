"""Time that does not jump, for ranks that outlive the process."""

from __future__ import annotations

import time


def _elapsed() -> float:
    """Seconds since some moment, those that the machine has slept included where it tells them."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


_BEGINNING = time.time() - _elapsed()


def steady_time() -> float:
    """Seconds since the epoch as the clock had them when the process began, and those since then.

    Somebody who sets the clock back would make everything that was used before look newer than what
    is used from then on, and so be kept for ever.

    Examples
    --------
    >>> import time
    >>> abs(steady_time() - time.time()) < 3600
    True
    """
    return _BEGINNING + _elapsed()
