"""The client's process, seen from outside."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from pyhades.bench.process import EngineProcess
from pyhades.bench.serve.outcome import Fuzzed, Outcome
from pyhades.errors import ConfigurationError


@dataclass(frozen=True)
class Loaded:
    """What became of a load."""

    outcomes: list[Outcome]
    seconds: float
    cpu_share: float
    """Of a core, that the client took."""


class Client:
    """Asks a server from a process of its own, which has measured how long words are.

    Parameters
    ----------
    url, api_key
        Of the server.
    model
        Its name there.
    endpoint
        ``"completions"`` or ``"chat"``.
    seed
        Of everything random.
    cpus
        Where the client may run; anywhere if empty.

    Raises
    ------
    ConfigurationError
        The extra ``server`` is not installed.
    PyhadesError
        The server does not answer as OpenAI's protocol wants it.
    """

    def __init__(
        self,
        url: str,
        model: str,
        endpoint: str = "completions",
        *,
        api_key: str | None = None,
        seed: int = 0,
        cpus: Sequence[int] = (),
    ) -> None:
        for package in ("h11", "msgspec"):
            if importlib.util.find_spec(package) is None:
                raise ConfigurationError(
                    f"{package} is not installed; pip install 'pyhades[server]'"
                )
        self._process = EngineProcess("the client", ["pyhades.bench.serve.worker"])
        try:
            if cpus:
                os.sched_setaffinity(self._process.pid, cpus)
            self._process.ask(
                connect={
                    "url": url, "model": model, "endpoint": endpoint, "api_key": api_key,
                    "seed": seed,
                }
            )  # fmt: skip
        except BaseException:
            self.close()
            raise

    def load(self, name: str, **arguments: Any) -> Loaded:
        """Run a load of :mod:`pyhades.bench.serve.loads` by its name."""
        answer = self._process.ask(load=name, **arguments)
        outcomes = [Outcome(**fields) for fields in answer["outcomes"]]
        return Loaded(outcomes, answer["seconds"], answer["cpu_share"])

    def fuzz(self, **arguments: Any) -> Fuzzed:
        """Send what nobody should send, see :func:`pyhades.bench.serve.fuzzing.fuzz`."""
        return Fuzzed(**self._process.ask(load="fuzz", **arguments)["fuzzed"])

    def close(self) -> None:
        """End the process."""
        self._process.__exit__(None, None, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
