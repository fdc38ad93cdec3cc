"""Tokens per second and how long people wait, by the number of clients or the rate of requests."""

from __future__ import annotations

from dataclasses import dataclass

from pyhades.bench.serve.client import Client, Loaded
from pyhades.bench.serve.findings import Check, Findings, Report, number, told
from pyhades.bench.serve.outcome import (
    Spread,
    between_tokens,
    failures,
    first_tokens,
    spread,
    tokens_per_second,
    writing_rate,
)
from pyhades.bench.serve.plan import Plan
from pyhades.bench.serve.servers import Server


@dataclass(frozen=True)
class Throughput:
    """Requests of so many clients, or at such a rate."""

    engine: str
    clients: int | None
    rate: float | None
    requests: int
    failed: int
    seconds: float
    prompt_tokens: float
    """Of a request, on average."""
    output_tokens: float
    tok_s: float
    """Of all answers together, from the first request to the end of the last answer."""
    times_one: float | None
    """As many times as one client."""
    writing_tok_s: float | None
    """While all clients' answers are written, so without the reading of prompts."""
    writing_times_one: float | None
    ttft_ms: Spread | None
    itl_ms: Spread | None
    """Between pieces of an answer."""
    tokens_per_piece: float
    """More than 1 where a server holds tokens back, such as parts of a character."""
    client_cpu: float
    """Share of a core that the client took."""
    rss_gb: float | None

    def cells(self) -> dict[str, str]:
        """For a table."""
        return {
            "engine": self.engine,
            "load": _what(self),
            "tokens/s": number(self.tok_s),
            "times one": number(self.times_one, ".2f"),
            "writing tokens/s": number(self.writing_tok_s),
            "times one, writing": number(self.writing_times_one, ".2f"),
            "first token ms p50/p90/p99": told(self.ttft_ms),
            "between ms p50/p90/p99": told(self.itl_ms, 1),
            "failed": f"{self.failed} of {self.requests}",
            "client's core": format(self.client_cpu, ".1%"),
            "GB": number(self.rss_gb, ".2f"),
        }


def measure(server: Server, client: Client, plan: Plan, report: Report) -> Findings:
    """Numbers of clients one after the other, or one rate.

    Parameters
    ----------
    server
        What is measured.
    client
        Who asks it.
    plan
        ``rate`` decides which of both.
    report
        Called with each row.
    """
    findings = Findings()
    first: Throughput | None = None
    for clients in plan.clients if plan.rate is None else (None,):
        loaded = _load(client, plan, clients)
        one = first if first is not None and first.clients == 1 else None
        row = _row(server, plan, clients, loaded, one)
        first = first or row
        report(row)
        findings.rows.append(row)
        wrong = failures(loaded.outcomes)
        findings.checks.append(
            Check(
                f"{server.name}, {_what(row)}: requests that failed",
                str(wrong) if wrong else "none", "none", not wrong,
            )
        )  # fmt: skip
    return findings


def _what(row: Throughput) -> str:
    """The load, for people."""
    if row.clients is None:
        return f"{row.rate:g} requests/s"
    return f"{row.clients} client{'s' if row.clients > 1 else ''}"


def _load(client: Client, plan: Plan, clients: int | None) -> Loaded:
    sizes = {"prompt_tokens": plan.prompt_tokens, "output_tokens": plan.output_tokens}
    if clients is not None:
        return client.load("closed", clients=clients, requests=plan.requests, **sizes)
    return client.load(
        "poisson", rate=plan.rate, seconds=plan.seconds, patience=plan.patience, seed=plan.seed,
        **sizes,
    )  # fmt: skip


def _row(
    server: Server, plan: Plan, clients: int | None, loaded: Loaded, one: Throughput | None
) -> Throughput:
    good = [outcome for outcome in loaded.outcomes if outcome.good]
    count = max(len(good), 1)
    resident = server.resident_bytes()
    tok_s = tokens_per_second(good)
    writing = None if clients is None else writing_rate(good, clients)
    pieces = sum(len(outcome.times) for outcome in good)
    tokens = sum(outcome.tokens for outcome in good)
    return Throughput(
        server.name, clients, plan.rate, len(loaded.outcomes),
        failed=len(loaded.outcomes) - len(good),
        seconds=loaded.seconds,
        prompt_tokens=sum(outcome.prompt_tokens for outcome in good) / count,
        output_tokens=tokens / count,
        tok_s=tok_s,
        times_one=_times(clients, tok_s, one.tok_s if one else None),
        writing_tok_s=writing,
        writing_times_one=_times(clients, writing, one.writing_tok_s if one else None),
        ttft_ms=spread(first_tokens(good)),
        itl_ms=spread(between_tokens(good)),
        tokens_per_piece=tokens / max(pieces, 1),
        client_cpu=loaded.cpu_share,
        rss_gb=None if resident is None else resident / 1e9,
    )  # fmt: skip


def _times(clients: int | None, value: float | None, one: float | None) -> float | None:
    """As many times as one client, where that was measured before."""
    if clients == 1:
        return 1.0
    return value / one if value and one else None
