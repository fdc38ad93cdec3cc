"""What the server takes beside the engine: the same answers with it and without it, in turn."""

from __future__ import annotations

import dataclasses
import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from pyhades.bench.process import EngineProcess
from pyhades.bench.serve.client import Client
from pyhades.bench.serve.findings import Check, Findings, Report, number
from pyhades.bench.serve.outcome import Outcome, between_tokens, failures, writing_rate
from pyhades.bench.serve.plan import Plan
from pyhades.bench.serve.prompts import random_words
from pyhades.bench.serve.servers import Server
from pyhades.errors import PyhadesError
from pyhades.options import EngineOptions

MOST = 0.03
_WORDS_PER_TOKEN = 0.5
"""About; both ways get the same words."""


@dataclass(frozen=True)
class Overhead:
    """So many streams, by the server and by the engine alone."""

    engine: str
    clients: int
    rounds: int
    server_tok_s: float
    """While all answers are written; the median of the rounds."""
    engine_tok_s: float
    server_itl_ms: float
    """Between tokens, the median."""
    engine_itl_ms: float
    added: float
    """What the server adds to a step, as a share: the median over pairs of rounds."""
    least: float
    most: float
    """Of the pairs."""
    same_text: bool
    client_cpu: float

    def cells(self) -> dict[str, str]:
        """For a table."""
        return {
            "engine": self.engine,
            "clients": str(self.clients),
            "server tokens/s": number(self.server_tok_s),
            "engine tokens/s": number(self.engine_tok_s),
            "server ms": number(self.server_itl_ms, ".2f"),
            "engine ms": number(self.engine_itl_ms, ".2f"),
            "server adds": f"{self.added:+.1%} ({self.least:+.1%} to {self.most:+.1%})",
            "same text": "yes" if self.same_text else "NO",
            "client's core": format(self.client_cpu, ".1%"),
        }


@dataclass(frozen=True)
class _Pair:
    """One round by both."""

    server: list[Outcome]
    engine: list[Outcome]
    client_cpu: float

    def rates(self, clients: int) -> tuple[float, float]:
        """Tokens per second of both while all are written."""
        rates = [writing_rate(outcomes, clients) for outcomes in (self.server, self.engine)]
        if None in rates:
            raise PyhadesError(
                f"{clients} answers are never written all at once: give more --output-tokens"
            )
        return rates[0], rates[1]  # type: ignore[return-value]


def measure(
    model: str | None,
    options: EngineOptions,
    plan: Plan,
    report: Report,
    *,
    cpus: Sequence[int] = (),
) -> Findings:
    """Open a model, serve it, and ask it both ways.

    Parameters
    ----------
    model
        As :class:`pyhades.LLM` takes it.
    options
        How to run it.
    plan
        Its ``clients`` are numbers of streams; ``rounds`` of each.
    report
        Called with each row.
    cpus
        Where the client may run.
    """
    findings = Findings()
    asked = {"model": model, "options": dataclasses.asdict(options)}
    command = ["pyhades.bench.serve.served_engine", json.dumps(asked)]
    with EngineProcess("the server", command) as process:
        server = Server("pyhades", process.facts["url"])
        with Client(server.url, server.model(), seed=plan.seed, cpus=cpus) as client:
            for clients in plan.clients:
                pairs = [
                    _pair(process, client, plan, clients, number)
                    for number in range(-1, plan.rounds)
                ][1:]  # the first warms up
                row = _row(clients, pairs)
                report(row)
                findings.rows.append(row)
                findings.checks += _checks(row, pairs)
    return findings


def _pair(process: EngineProcess, client: Client, plan: Plan, clients: int, number: int) -> _Pair:
    """The same prompts by both, of which neither finds what the other has read."""
    words = max(1, round(plan.prompt_tokens * _WORDS_PER_TOKEN))
    prompts = [
        random_words(words, f"{plan.seed} {clients} {number} {each}") for each in range(clients)
    ]
    how = {"prompts": prompts, "output_tokens": plan.output_tokens}

    def by_engine() -> list[Outcome]:
        answer = process.ask(**how, client=f"without a server {number}")
        return [Outcome(**fields) for fields in answer["outcomes"]]

    if number % 2:  # neither is always the first
        engine, loaded = by_engine(), client.load("given", **how)
    else:
        loaded, engine = client.load("given", **how), by_engine()
    return _Pair(loaded.outcomes, engine, loaded.cpu_share)


def _row(clients: int, pairs: Sequence[_Pair]) -> Overhead:
    rates = [pair.rates(clients) for pair in pairs]
    added = [engine / server - 1 for server, engine in rates]
    return Overhead(
        "pyhades", clients, len(pairs),
        server_tok_s=statistics.median(server for server, _ in rates),
        engine_tok_s=statistics.median(engine for _, engine in rates),
        server_itl_ms=_between([each for pair in pairs for each in pair.server]),
        engine_itl_ms=_between([each for pair in pairs for each in pair.engine]),
        added=statistics.median(added), least=min(added), most=max(added),
        same_text=all(
            [each.text for each in pair.server] == [each.text for each in pair.engine]
            for pair in pairs
        ),
        client_cpu=statistics.mean(pair.client_cpu for pair in pairs),
    )  # fmt: skip


def _between(outcomes: Sequence[Outcome]) -> float:
    """Milliseconds between tokens, the median."""
    return statistics.median(between_tokens(outcomes)) * 1e3


def _checks(row: Overhead, pairs: Sequence[_Pair]) -> list[Check]:
    wrong = failures(outcome for pair in pairs for outcome in pair.server)
    return [
        Check(
            f"{row.clients} streams: requests that failed", str(wrong) if wrong else "none",
            "none", not wrong,
        ),
        Check(
            f"{row.clients} streams: texts of the server and of the engine",
            "the same" if row.same_text else "not the same", "the same", row.same_text,
        ),
        Check(
            f"{row.clients} streams: what the server adds to a step", f"{row.added:+.1%}",
            f"at most {MOST:.0%}", row.added <= MOST, must=False,
        ),
    ]  # fmt: skip
