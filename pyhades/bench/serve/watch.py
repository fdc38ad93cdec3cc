"""A server's memory and health, looked at every second while it works."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from pyhades.bench.serve.servers import Server


@dataclass
class Watched:
    """What was seen, oldest first."""

    resident: list[int] = field(default_factory=list)
    health_seconds: list[float] = field(default_factory=list)
    unhealthy: int = 0
    """Looks at which the server said something else than that it is well, or nothing."""


class Watch:
    """Looks at a server between enter and exit.

    Parameters
    ----------
    server
        To look at.
    interval
        Seconds between two looks.
    """

    def __init__(self, server: Server, interval: float = 1.0) -> None:
        self._server, self._interval = server, interval
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.seen = Watched()

    def _look(self) -> None:
        while not self._over.wait(self._interval):
            began = time.perf_counter()
            status = self._server.status("/health")
            self.seen.health_seconds.append(time.perf_counter() - began)
            self.seen.unhealthy += status != 200
            resident = self._server.resident_bytes()
            if resident is not None:
                self.seen.resident.append(resident)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()
