"""One scenario on servers in turn: each is started, measured and stopped before the next."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pyhades.bench.rivals import llama_server
from pyhades.bench.serve.client import Client
from pyhades.bench.serve.findings import Findings, Report
from pyhades.bench.serve.plan import Plan
from pyhades.bench.serve.scenarios import SCENARIOS
from pyhades.bench.serve.servers import Server, ours
from pyhades.options import EngineOptions

Start = Callable[[], Server]
LOADING = 1800.0
"""Seconds in which a server has to be ready."""
_ARRIVING = 4
"""Long prompts that a rival has room for at once."""
_MARGIN = 512
"""Tokens of room that a rival has beside prompt and answer of each client."""


@dataclass(frozen=True)
class Cpus:
    """Where processes may run; anywhere where there is none."""

    client: tuple[int, ...] = ()
    server: tuple[int, ...] = ()


def run(
    starts: Sequence[Start],
    scenario: str,
    plan: Plan,
    report: Report,
    *,
    endpoint: str = "completions",
    cpus: Cpus = Cpus(),
) -> Findings:
    """Measure servers one after the other.

    Parameters
    ----------
    starts
        What makes each of them.
    scenario
        A name of :data:`~pyhades.bench.serve.scenarios.SCENARIOS`.
    plan
        How much of what.
    report
        Called with each row.
    endpoint
        ``"completions"`` or ``"chat"``.
    cpus
        Where the client runs.

    Returns
    -------
    Findings
        Of all servers.
    """
    findings = Findings()
    for start in starts:
        with (
            start() as server,
            Client(
                server.url, server.model(), endpoint, api_key=server.api_key, seed=plan.seed,
                cpus=cpus.client,
            ) as client,
        ):  # fmt: skip
            findings.add(SCENARIOS[scenario](server, client, plan, report))
    return findings


def running(url: str, api_key: str | None, pid: int | None) -> Start:
    """A server that runs already, on this machine where its process has a number."""

    def start() -> Server:
        server = Server(urlsplit(url).netloc or url, url, api_key, pid)
        server.wait(LOADING)
        return server

    return start


def starting(
    model: str | None, options: EngineOptions, arguments: Sequence[str], cpus: Cpus
) -> Start:
    """``pyhades serve``, with what else is to be said to it."""
    given = {"threads": options.threads, "isa": options.isa, "precision": options.precision}
    named = [
        part
        for name, value in given.items()
        if value is not None
        for part in (f"--{name}", str(value))
    ]
    return functools.partial(ours, model, [*named, *arguments], LOADING, cpus.server)


def rivalling(program: str, model: str, options: EngineOptions, plan: Plan, cpus: Cpus) -> Start:
    """llama.cpp's server, with room for what the plan asks of it."""
    tokens = plan.prompt_tokens + max(plan.output_tokens, plan.writer_tokens)
    together = max(*plan.clients, plan.writers + _ARRIVING)
    return functools.partial(
        llama_server.start, program, Path(model), threads=options.threads_used, texts=together,
        tokens=together * (tokens + _MARGIN) + _ARRIVING * plan.arrival_tokens, patience=LOADING,
        cpus=cpus.server,
    )  # fmt: skip
