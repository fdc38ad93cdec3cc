"""Clients that come and go at random: nothing of theirs stays."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from pyhades.bench.serve.client import Client
from pyhades.bench.serve.findings import Check, Findings, Report, number
from pyhades.bench.serve.gauges import KV_USAGE, named
from pyhades.bench.serve.loads import BEFORE_FIRST, MID_STREAM, TO_THE_END
from pyhades.bench.serve.outcome import LEFT, failures, statuses
from pyhades.bench.serve.plan import Plan
from pyhades.bench.serve.scenarios.afterwards import (
    Rest,
    check_alive,
    check_same,
    checks_of_rest,
    question,
    rest,
)
from pyhades.bench.serve.servers import Server


@dataclass(frozen=True)
class Churn:
    """Clients that went before the first token, in mid stream, or read all."""

    engine: str
    clients: int
    seconds: float
    planned: dict[str, int]
    whole: int
    """Answers that were read to their end."""
    left: int
    statuses: dict[str, int]
    afterwards: Rest
    kv_usage: float | None
    client_cpu: float

    def cells(self) -> dict[str, str]:
        """For a table."""
        return {
            "engine": self.engine,
            "clients": f"{self.clients} in {self.seconds:.0f} s",
            "planned": ", ".join(f"{key}: {value}" for key, value in self.planned.items()),
            "whole": str(self.whole),
            "left": str(self.left),
            "statuses": ", ".join(f"{key}: {value}" for key, value in self.statuses.items()),
            "running": number(self.afterwards.running, "g"),
            "waiting": number(self.afterwards.waiting, "g"),
            "blocks held": number(self.afterwards.held_blocks, "g"),
        }


def measure(server: Server, client: Client, plan: Plan, report: Report) -> Findings:
    """Let clients come and go, and look at what is left.

    Parameters
    ----------
    server
        What is measured.
    client
        Who asks it.
    plan
        Its ``seconds`` are those in which clients come.
    report
        Called with the row.
    """
    before = question(client, plan.patience)
    loaded = client.load(
        "churn", clients=plan.churn_clients, seconds=plan.seconds,
        prompt_tokens=plan.prompt_tokens, output_tokens=max(plan.output_tokens, 2),
        patience=plan.patience, seed=plan.seed,
    )  # fmt: skip
    left = rest(server, plan.patience)
    after = question(client, plan.patience)
    planned = Counter(outcome.who for outcome in loaded.outcomes)
    wrong = failures(each for each in loaded.outcomes if not each.excused)
    row = Churn(
        server.name, plan.churn_clients, loaded.seconds,
        planned={who: planned[who] for who in (BEFORE_FIRST, MID_STREAM, TO_THE_END)},
        whole=sum(outcome.good for outcome in loaded.outcomes),
        left=sum(outcome.error == LEFT for outcome in loaded.outcomes),
        statuses=statuses(loaded.outcomes),
        afterwards=left,
        kv_usage=named(server.gauges(), KV_USAGE),
        client_cpu=loaded.cpu_share,
    )  # fmt: skip
    report(row)
    return Findings([row], [
        Check(
            f"{server.name}: requests that failed", str(wrong) if wrong else "none", "none",
            not wrong,
        ),
        *checks_of_rest(server.name, left),
        check_alive(server),
        check_same(server.name, before, after),
    ])  # fmt: skip
