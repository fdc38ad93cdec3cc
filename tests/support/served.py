"""A server that runs beside a test, on a port that the system has chosen."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import uvicorn

from pyhades import LLM
from pyhades.server.app import build
from pyhades.server.service import Service
from pyhades.server.serving import bound
from pyhades.server.settings import Settings


@dataclass(frozen=True)
class Served:
    """A server in a thread.

    Attributes
    ----------
    url
        Without ``/v1``.
    service
        To look into.
    """

    url: str
    service: Service


@contextlib.contextmanager
def served(llm: LLM | None, settings: Settings | None = None) -> Iterator[Served]:
    """The server of a model, which stays open; None is one that is still being loaded."""
    service = Service(settings or Settings())
    if llm is not None:
        service.open(llm)
    config = uvicorn.Config(build(service), log_config=None, access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    with contextlib.closing(bound("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        until(lambda: server.started)
        try:
            yield Served(f"http://127.0.0.1:{listening.getsockname()[1]}", service)
        finally:
            server.should_exit = server.force_exit = True
            thread.join(timeout=20)


def until(condition, seconds: float = 20.0) -> None:
    """Wait for something that another thread brings about."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.002)
