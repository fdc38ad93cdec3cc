"""Many more requests than a server can answer: it says so, and stays well."""

from __future__ import annotations

from dataclasses import dataclass

from pyhades.bench.serve.client import Client
from pyhades.bench.serve.findings import Check, Findings, Report, number, told
from pyhades.bench.serve.outcome import (
    LEFT,
    TOO_MANY,
    Spread,
    drift,
    failures,
    first_tokens,
    spread,
    statuses,
)
from pyhades.bench.serve.plan import Plan
from pyhades.bench.serve.scenarios.afterwards import check_alive, check_same, question
from pyhades.bench.serve.servers import Server
from pyhades.bench.serve.watch import Watch, Watched
from pyhades.errors import PyhadesError

DRIFT = 0.02
HEALTH_MS = 1000.0
_CLIENTS = 16
"""At most, to find out what a server keeps up with."""


@dataclass(frozen=True)
class Overload:
    """Requests at a rate that is far too high."""

    engine: str
    sustained: float
    """Requests per second that were answered when clients waited for their answers."""
    rate: float
    seconds: float
    requests: int
    statuses: dict[str, int]
    unexpected: dict[str, int]
    """What was neither answered, nor refused for the load, nor still to be answered at the end."""
    without_retry_after: int
    """Refusals that do not say when to come again."""
    left: int
    """Requests that had no whole answer when the client's patience ended."""
    ttft_ms: Spread | None
    health_ms: Spread | None
    unhealthy: int
    rss_gb: float | None
    rss_mb: list[float]
    """At every look, for who wants to see how it grew."""
    rss_drift: float | None
    client_cpu: float

    def cells(self) -> dict[str, str]:
        """For a table."""
        return {
            "engine": self.engine,
            "requests/s": f"{self.rate:.2f} ({self.rate / self.sustained:.0f} times)",
            "seconds": f"{self.seconds:.0f}",
            "statuses": ", ".join(f"{key}: {value}" for key, value in self.statuses.items()),
            "left": str(self.left),
            "without Retry-After": str(self.without_retry_after),
            "first token ms p50/p90/p99": told(self.ttft_ms),
            "/health ms p50/p90/p99": told(self.health_ms, 1),
            "GB": number(self.rss_gb, ".2f"),
            "drift": number(self.rss_drift, "+.2%"),
            "client's core": format(self.client_cpu, ".1%"),
        }


def measure(server: Server, client: Client, plan: Plan, report: Report) -> Findings:
    """Find out what a server keeps up with, then ask many times that.

    Parameters
    ----------
    server
        What is measured.
    client
        Who asks it.
    plan
        ``rate`` is what the server keeps up with, if it is known.
    report
        Called with the row.

    Raises
    ------
    PyhadesError
        The server answered nothing even before.
    """
    sizes = {"prompt_tokens": plan.prompt_tokens, "output_tokens": plan.output_tokens}
    before = question(client, plan.patience)
    sustained = plan.rate or _sustained(client, plan, sizes)
    rate = sustained * plan.overload
    with Watch(server, plan.interval) as watch:
        loaded = client.load(
            "poisson", rate=rate, seconds=plan.seconds, patience=plan.patience, seed=plan.seed,
            **sizes,
        )  # fmt: skip
    after = question(client, plan.patience)
    outcomes = loaded.outcomes
    seen = watch.seen
    row = Overload(
        server.name, sustained, rate, plan.seconds, len(outcomes),
        statuses=statuses(outcomes),
        unexpected=failures(each for each in outcomes if not each.excused),
        without_retry_after=sum(
            each.status == TOO_MANY and each.retry_after is None for each in outcomes
        ),
        left=sum(each.error == LEFT for each in outcomes),
        ttft_ms=spread(first_tokens(outcomes)),
        health_ms=spread(seen.health_seconds),
        unhealthy=seen.unhealthy,
        rss_gb=seen.resident[-1] / 1e9 if seen.resident else None,
        rss_mb=[round(nbytes / 1e6, 1) for nbytes in seen.resident],
        rss_drift=drift(seen.resident),
        client_cpu=loaded.cpu_share,
    )  # fmt: skip
    report(row)
    checks = [*_checks(row, seen), check_alive(server), check_same(server.name, before, after)]
    return Findings([row], checks)


def _sustained(client: Client, plan: Plan, sizes: dict[str, int]) -> float:
    clients = min(max(plan.clients), _CLIENTS)
    loaded = client.load("closed", clients=clients, requests=plan.requests, **sizes)
    answered = sum(outcome.good for outcome in loaded.outcomes)
    if not answered:
        raise PyhadesError(f"nothing was answered: {loaded.outcomes[0].error}")
    return answered / loaded.seconds


def _checks(row: Overload, seen: Watched) -> list[Check]:
    name = row.engine
    grown = row.rss_drift
    health = row.health_ms
    return [
        Check(
            f"{name}: answers but 200 and 429",
            str(row.unexpected) if row.unexpected else "none", "none", not row.unexpected,
        ),
        Check(
            f"{name}: refusals without Retry-After", str(row.without_retry_after), "0",
            not row.without_retry_after,
        ),
        Check(
            f"{name}: growth of its memory",
            "too few samples" if grown is None else f"{grown:+.2%} of {len(seen.resident)} samples",
            f"less than {DRIFT:.0%}", grown is not None and grown < DRIFT,
        ),
        Check(
            f"{name}: looks at /health that found it unwell",
            f"{seen.unhealthy} of {len(seen.health_seconds)}", "0", not seen.unhealthy,
        ),
        Check(
            f"{name}: p99 of /health", "-" if health is None else f"{health.p99:.1f} ms",
            f"at most {HEALTH_MS:.0f} ms", health is not None and health.p99 <= HEALTH_MS,
            must=False,
        ),
    ]  # fmt: skip
