"""Connections on which nothing goes on, as uvicorn keeps them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class SilentLines:
    """Ends connections that ask nothing for long.

    uvicorn ends those that stay silent after an answer, but not those that never ask anything, nor
    those that begin to ask and do not go on: they would be held for ever.

    Parameters
    ----------
    seconds
        After which they are ended.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since: dict[tuple[Any, Any], float] = {}

    def hang_up(self, connections: Iterable[Any], now: float) -> None:
        """End those that are silent for too long.

        Parameters
        ----------
        connections
            All that there are.
        now
            Seconds of a clock that never goes back.
        """
        silent = [(line, line.cycle) for line in connections if is_idle(line)]
        self._since = {each: self._since.get(each, now) for each in silent}
        for (line, _), since in self._since.items():
            if now - since > self._seconds:
                end(line)


def is_idle(connection: Any) -> bool:
    """Whether no request is in work there."""
    return connection.cycle is None or bool(connection.cycle.response_complete)


def end(connection: Any) -> None:
    """Hang up, unless something is still on its way; clients of TLS may take long to agree."""
    transport = connection.transport
    if transport is not None and not transport.get_write_buffer_size():
        transport.abort()
