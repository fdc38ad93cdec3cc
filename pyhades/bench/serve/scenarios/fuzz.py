"""Requests that nobody should send: a server says what is wrong with them, and lives."""

from __future__ import annotations

from dataclasses import dataclass

from pyhades.bench.serve.client import Client
from pyhades.bench.serve.findings import Check, Findings, Report
from pyhades.bench.serve.plan import Plan
from pyhades.bench.serve.scenarios.afterwards import check_alive, check_same, question, rest
from pyhades.bench.serve.servers import Server

_AT_ONCE = 16


@dataclass(frozen=True)
class Fuzz:
    """So many of them."""

    engine: str
    seed: int
    cases: int
    counts: dict[str, dict[str, int]]
    bad: int
    examples: list[str]

    def cells(self) -> dict[str, str]:
        """For a table."""
        return {"engine": self.engine, "cases": str(self.cases), "bad": str(self.bad)} | {
            path: ", ".join(f"{status}: {count}" for status, count in counts.items())
            for path, counts in self.counts.items()
        }


def measure(server: Server, client: Client, plan: Plan, report: Report) -> Findings:
    """Send them all.

    Parameters
    ----------
    server
        What is measured.
    client
        Who asks it.
    plan
        ``cases`` and ``seed`` say which.
    report
        Called with the row.
    """
    before = question(client, plan.patience)
    fuzzed = client.fuzz(cases=plan.cases, seed=plan.seed, at_once=_AT_ONCE, patience=plan.patience)
    rest(server, plan.patience)
    after = question(client, plan.patience)
    row = Fuzz(server.name, plan.seed, plan.cases, fuzzed.counts, fuzzed.bad, fuzzed.examples)
    report(row)
    said = f"{fuzzed.bad}: {'; '.join(fuzzed.examples)}" if fuzzed.bad else "none"
    return Findings([row], [
        Check(f"{server.name}: no response, or 500 and above", said, "none", not fuzzed.bad),
        check_alive(server),
        check_same(server.name, before, after),
    ])  # fmt: skip
