"""A server from its start to its end: loads the model, listens meanwhile, lets answers finish."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import socket
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from starlette.applications import Starlette

from pyhades.llm import LLM
from pyhades.llm.opening import found_checkpoint
from pyhades.server.app import build
from pyhades.server.http.hosts import LocalOnly, is_loopback
from pyhades.server.http.lines import SilentLines, end, is_idle
from pyhades.server.service import Service
from pyhades.server.settings import Settings

LOG = logging.getLogger("pyhades.server")
_FAREWELL = 3
"""Seconds in which answers that were given up are told to be so."""


def run(
    model: str | Path | None = None,
    settings: Settings | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    certificate: str | Path | None = None,
    certificate_key: str | Path | None = None,
    on_listening: Callable[[str], object] = lambda url: None,
    **options: Any,
) -> None:
    """Serve a model until SIGTERM or Ctrl-C; then answers in work are finished.

    Parameters
    ----------
    model
        As :class:`pyhades.LLM` takes it; None is the toy.
    settings
        How the server behaves.
    host, port
        Where to listen; by default nobody outside of this machine is heard. Port 0 is one that is
        free.
    certificate, certificate_key
        Files in PEM, for TLS.
    on_listening
        Called with the URL as soon as there is one; the model may not be loaded yet.
    options
        Keywords of :class:`pyhades.LLM`.

    Raises
    ------
    ModelError
        There is no such model, or it cannot be loaded.
    OSError
        Somebody else listens there.
    """
    settings = settings or Settings()
    found_checkpoint(model)  # what is no model is told before anybody connects
    service = Service(settings)
    app = build(service, _lifespan(service, lambda: LLM(model, progress=False, **options)))
    if is_loopback(host):  # a page whose name leads to this machine is not from here
        app.add_middleware(LocalOnly)
    config = uvicorn.Config(
        app, host=host, port=port, log_config=None, access_log=False, server_header=False,
        date_header=True, timeout_keep_alive=75, ws="none", lifespan="on",
        timeout_graceful_shutdown=math.ceil(settings.drain_seconds + _FAREWELL),
        ssl_certfile=certificate, ssl_keyfile=certificate_key,
    )  # fmt: skip
    listening = bound(host, port)
    scheme = "http" if certificate is None else "https"
    shown = f"[{host}]" if ":" in host else host
    on_listening(f"{scheme}://{shown}:{listening.getsockname()[1]}")
    with contextlib.closing(listening):
        server = Server(config, service)
        server.run(sockets=[listening])
    if service.failure is not None:
        raise service.failure


class Server(uvicorn.Server):
    """Lets nobody in once it was told to stop; who is in work may finish."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service
        service.on_failure = self._give_up
        self._silent = SilentLines(config.timeout_keep_alive + service.settings.body_seconds)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal has come; the second one waits for nobody.

        It is not sent on once all is over: the process has ended as it was told to.
        """
        if self.should_exit:
            self.force_exit = True
            return
        LOG.info("stopping: %d requests are in work", self._service.admission.requests)
        self._service.stop()
        self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second."""
        if counter % 10 == 0:
            self._silent.hang_up(list(self.server_state.connections), time.monotonic())
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let answers finish, for as long as they may take; then they are told to be given up."""
        for connection in list(self.server_state.connections):
            if is_idle(connection):
                end(connection)
        loop, seconds = asyncio.get_running_loop(), self._service.settings.drain_seconds
        timer = loop.call_later(seconds, self._service.give_up)
        try:
            await super().shutdown(sockets)
        finally:
            timer.cancel()

    def _give_up(self) -> None:
        self.should_exit = True


def bound(host: str, port: int) -> socket.socket:
    """A socket that is bound, so that its port is known before anybody serves it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP, or asyncio does not tell it to send small pieces at once.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise OSError(error.errno, error.strerror, f"{host}:{port}") from None
    return sock


def _lifespan(service: Service, load: Callable[[], LLM]) -> Any:
    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None, None]:
        loading = asyncio.create_task(_load(service, load))
        try:
            yield
        finally:
            service.stop()
            loading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await loading
            if service.model is not None:
                await asyncio.to_thread(service.model.close)

    return lifespan


async def _load(service: Service, load: Callable[[], LLM]) -> None:
    """Meanwhile everybody is told that the model is being loaded."""
    try:
        llm = await asyncio.to_thread(load)
    except Exception as error:
        service.fail(error)
        return
    service.open(llm)
    LOG.info("ready: %r", llm)
