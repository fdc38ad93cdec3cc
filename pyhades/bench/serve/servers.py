"""The server that is measured: one that runs already, or a process that is started for it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from types import MappingProxyType, TracebackType
from typing import Self

from pyhades.bench.memory import resident_bytes
from pyhades.bench.serve.gauges import MEMORY, Gauges, parse_gauges
from pyhades.errors import ConfigurationError, PyhadesError

HOST = "127.0.0.1"
_LAST_LINES = 5
_BUSY = 503


class Server:
    """A server of OpenAI's protocol.

    Parameters
    ----------
    name
        For tables.
    url
        Where it listens.
    api_key
        Sent with requests, if there is one.
    pid
        Of its process, if that is known; otherwise the server itself tells its memory.
    """

    def __init__(
        self, name: str, url: str, api_key: str | None = None, pid: int | None = None
    ) -> None:
        self.name, self.url, self.api_key = name, url.rstrip("/"), api_key
        self.pid = pid

    @property
    def is_alive(self) -> bool:
        """Whether it answers."""
        return self.status("/health") is not None

    def status(self, path: str) -> int | None:
        """What it answers to a GET; None if nothing."""
        try:
            with self._get(path, 10) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return None

    def model(self) -> str:
        """The name of the first model that it offers.

        Raises
        ------
        PyhadesError
            It offers none.
        """
        try:
            with self._get("/v1/models", 60) as response:
                name: str = json.load(response)["data"][0]["id"]
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise PyhadesError(f"{self.url}/v1/models names no model: {error}") from None
        return name

    def gauges(self) -> Gauges:
        """What it tells of itself; empty if nothing."""
        try:
            with self._get("/metrics", 10) as response:
                return parse_gauges(response.read().decode())
        except OSError:
            return {}

    def resident_bytes(self) -> int | None:
        """Its memory, None where nobody tells."""
        if self.pid is not None:
            return resident_bytes(self.pid) or None
        told = self.gauges().get(MEMORY)
        return None if told is None else int(told)

    def wait(self, seconds: float) -> None:
        """Until it is ready.

        Raises
        ------
        PyhadesError
            It is not after so many seconds, or never will be.
        """
        deadline = time.monotonic() + seconds
        while (status := self.status("/health")) in (None, _BUSY):
            if status is None:
                self._silent()
            if time.monotonic() > deadline:
                said = "does not answer" if status is None else "is still loading"
                raise PyhadesError(f"{self.url} {said} after {seconds:.0f} s")
            time.sleep(0.1)

    def _silent(self) -> None:
        """Nobody answers: raise if nobody ever will."""
        raise PyhadesError(f"nobody answers at {self.url}")

    def _get(self, path: str, seconds: float) -> urllib.request._UrlopenRet:
        headers = {"authorization": f"Bearer {self.api_key}"} if self.api_key else {}
        request = urllib.request.Request(self.url + path, headers=headers)
        return urllib.request.urlopen(request, timeout=seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass


class ServerProcess(Server):
    """A server that runs between enter and exit.

    Parameters
    ----------
    name
        For tables and messages.
    command
        What to run; ``{port}`` in it becomes a free port.
    patience
        Seconds in which it has to be ready.
    cpus
        Where it may run; anywhere if empty.
    defaults
        Variables of its environment, where nobody has set them.

    Raises
    ------
    PyhadesError
        It ended, or is not ready in time; says what it wrote last.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        patience: float = 600,
        cpus: Sequence[int] = (),
        defaults: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        port = str(free_port())
        super().__init__(name, f"http://{HOST}:{port}")
        self._messages = tempfile.TemporaryFile()  # noqa: SIM115  (a pipe may fill up)
        command = [part.replace("{port}", port) for part in command]
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=self._messages, stderr=self._messages,
                env={**defaults, **os.environ},
            )  # fmt: skip
        except OSError as error:
            raise ConfigurationError(f"{command[0]}: {error.strerror}") from None
        self.pid = self._process.pid
        try:
            if cpus:
                os.sched_setaffinity(self._process.pid, cpus)
            self.wait(patience)
        except BaseException:
            self._end()
            raise

    @property
    def is_alive(self) -> bool:
        """Whether it runs and answers."""
        return self._process.poll() is None and super().is_alive

    def _silent(self) -> None:
        if self._process.poll() is not None:
            self._messages.seek(0)
            written = self._messages.read().decode(errors="replace").strip().splitlines()
            tail = " / ".join(written[-_LAST_LINES:]) or "no message"
            raise PyhadesError(f"{self.name} ended: {tail}")

    def _end(self) -> None:
        """As an administrator would; at once if that does not help."""
        self._process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(30)
        self._process.kill()
        self._process.wait()
        self._messages.close()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()


def ours(
    model: str | None,
    options: Sequence[str] = (),
    patience: float = 600,
    cpus: Sequence[int] = (),
) -> ServerProcess:
    """``pyhades serve`` in a process of its own; without a model, the toy."""
    command = [sys.executable, "-m", "pyhades", "serve", *([] if model is None else [model])]
    command += ["--host", HOST, "--port", "{port}", *options]
    return ServerProcess("pyhades", command, patience, cpus)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port
